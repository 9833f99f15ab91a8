package main

func main() {
	var nobody map[string]int
	nobody["x"] = 1
}
