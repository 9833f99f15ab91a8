package main

func main() {
	for n := uint64(0); ; n++ {
	}
}
