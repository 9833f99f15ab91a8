package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func check(right bool, part string) {
	if !right {
		panic(part)
	}
	fmt.Println(part, "ok")
}

func threads() bool {
	var sum atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Add(1)
		go func() { defer all.Done(); time.Sleep(time.Millisecond); sum.Add(1) }()
	}
	all.Wait()
	return sum.Load() == 100
}

func process() bool {
	out, err := exec.Command("sh", "-c", "echo from a child").Output()
	return err == nil && string(out) == "from a child\n"
}

func socket() bool {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return err == nil && string(body) == "hello"
}

func file() bool {
	f, err := os.CreateTemp("", "exercise")
	if err != nil {
		panic(err)
	}
	defer os.Remove(f.Name())
	fmt.Fprint(f, "hello")
	f.Close()
	text, err := os.ReadFile(f.Name())
	return err == nil && string(text) == "hello"
}

func locale() bool { return strings.ToUpper("é") == "É" && os.Getenv("LC_ALL") != "" }

func zone() bool {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	return err == nil && time.Unix(1700000000, 0).In(tokyo).Format("2006-01-02 15:04 MST") == "2023-11-15 07:13 JST"
}

func memory() bool {
	block := bytes.Repeat([]byte{1}, 96<<20)
	return block[len(block)-1] == 1
}

func main() {
	check(threads(), "threads")
	check(process(), "process")
	check(socket(), "socket")
	check(file(), "file")
	check(locale(), "locale")
	check(zone(), "zone")
	check(memory(), "memory")
}
