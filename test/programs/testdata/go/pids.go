package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	for range 200 {
		if err := exec.Command("sleep", "30").Start(); err != nil {
			fmt.Println("refused")
			return
		}
	}
	fmt.Println("never refused")
	os.Exit(1)
}
