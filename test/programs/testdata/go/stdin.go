package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
)

func main() {
	var values []int
	sum := 0
	in := bufio.NewReader(os.Stdin)
	for {
		var v int
		if _, err := fmt.Fscan(in, &v); err != nil {
			break
		}
		values = append(values, v)
		sum += v
	}
	sort.Ints(values)
	fmt.Printf("sum %d\nsorted", sum)
	for _, v := range values {
		fmt.Printf(" %d", v)
	}
	fmt.Println()
	if err := os.WriteFile("out.txt", fmt.Appendf(nil, "count %d\n", len(values)), 0o644); err != nil {
		panic(err)
	}
}
