package main

import (
	"fmt"
	"sync"
	"sync/atomic"
)

func main() {
	var sum atomic.Int64
	var wg sync.WaitGroup
	for i := int64(1); i <= 4; i++ {
		wg.Add(1)
		go func(i int64) {
			defer wg.Done()
			for n := i; n <= 1000; n += 4 {
				sum.Add(n)
			}
		}(i)
	}
	wg.Wait()
	fmt.Println("sum", sum.Load())
}
