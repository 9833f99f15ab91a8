// Command minimum measures the least limits under which each language's smallest
// program is built and run, on a running service, under the policy judge. It
// prints them, or writes them into the data files and the manual:
//
//	cordon serve &
//	go run ./test/minimum -url http://127.0.0.1:8080 -token FILE [-write] [ID …]
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"cordon/test/programs"
)

func main() {
	url := flag.String("url", "http://127.0.0.1:8080", "address of the service")
	token := flag.String("token", "", "file with the service's token")
	write := flag.Bool("write", false, "write what was found into languages/data and docs/languages.md")
	flag.Parse()
	if err := measure(*url, *token, *write, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "minimum:", err)
		os.Exit(1)
	}
}

func measure(url, tokenFile string, write bool, ids []string) error {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	s := &service{url: url, token: strings.TrimSpace(string(token))}
	list, err := s.languages()
	if err != nil {
		return err
	}
	hello, err := programs.Hello()
	if err != nil {
		return err
	}
	for _, l := range list {
		p, known := hello[l.ID]
		if l.Status != "ok" || !known || len(ids) > 0 && !slices.Contains(ids, l.ID) {
			continue
		}
		found, err := find(s, l, p.Source)
		if err != nil {
			return fmt.Errorf("%s: %w", l.ID, err)
		}
		fmt.Println(found.row())
		if !write {
			continue
		}
		if err := found.writeData("languages/data"); err != nil {
			return err
		}
		if err := found.writeManual("docs/languages.md"); err != nil {
			return err
		}
	}
	return nil
}
