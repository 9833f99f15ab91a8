package recipe

import (
	"fmt"
	"strconv"

	"cordon/sandbox"
)

// stepsScript runs steps one after the other, each in a shell of its own, and notes which
// one it is at.
const stepsScript = `cd /
for n in $(seq 1 "$1"); do
	echo "$n" > /work/step
	sh -e "/work/steps/$n" < /dev/null || exit
done
`

// stepFiles are the steps as the script reads them.
func stepFiles(words []string) []sandbox.File {
	var out []sandbox.File
	for i, w := range words {
		out = append(out, sandbox.File{Path: "steps/" + strconv.Itoa(i+1), Mode: 0o444, Data: []byte(w + "\n")})
	}
	return out
}

// stepAt says which step a job was at when it ended.
func stepAt(words []string, r *sandbox.Result) string {
	for _, f := range r.Files {
		n, err := strconv.Atoi(string(trimNewline(f.Data)))
		if err == nil && n >= 1 && n <= len(words) {
			return fmt.Sprintf("steps[%d] (%.200q)", n-1, words[n-1])
		}
	}
	return "steps"
}

func trimNewline(text []byte) []byte {
	for len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	return text
}
