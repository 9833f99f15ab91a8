package main

import "fmt"

var blocks [][]byte

func main() {
	for i := 0; i < 96; i++ {
		block := make([]byte, 1<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		blocks = append(blocks, block)
	}
	fmt.Println(len(blocks), "blocks")
}
