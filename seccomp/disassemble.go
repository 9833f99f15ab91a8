package seccomp

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Disassemble writes the compiled program: every instruction with its number,
// every jump with the number of the instruction that it leads to.
func (p *Program) Disassemble(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s, %d instructions, digest %s\n", p.Arch, p.Instructions(), p.Digest); err != nil {
		return err
	}
	l := listing{arch: p.Arch, loaded: make([]string, p.Instructions()+1), reached: make([]bool, p.Instructions()+1)}
	l.reached[0] = true
	for pc := range p.Instructions() {
		b := p.BPF[8*pc:]
		text := l.instruction(pc, binary.LittleEndian.Uint16(b), b[2], b[3], binary.LittleEndian.Uint32(b[4:]))
		if !l.reached[pc] {
			text += "  ; nothing leads here"
		}
		if _, err := fmt.Fprintf(w, "%4d  %s\n", pc, text); err != nil {
			return err
		}
	}
	return nil
}

// listing follows what is in the accumulator. All jumps lead forward, so one pass
// in the order of the instructions knows all ways to each.
type listing struct {
	arch    Arch
	loaded  []string // by instruction; several where checks of arguments share it
	reached []bool
}

const or = " or "

// to notes a way that leads to an instruction.
func (l *listing) to(pc int, what string) {
	if pc >= len(l.loaded) {
		return // the kernel refuses such a program
	}
	if l.reached[pc] && l.loaded[pc] != what {
		all := append(strings.Split(l.loaded[pc], or), strings.Split(what, or)...)
		slices.Sort(all)
		what = strings.Join(slices.Compact(all), or)
	}
	l.loaded[pc], l.reached[pc] = what, true
}

var words = []string{"number", "architecture", "instruction pointer, low half", "instruction pointer, high half"}

func wordName(at uint32) string {
	if i := int(at / 4); i < len(words) {
		return words[i]
	}
	half := "low"
	if at%8 == 4 {
		half = "high"
	}
	return fmt.Sprintf("argument %d, %s half", (at-16)/8, half)
}

func (l *listing) instruction(pc int, code uint16, jt, jf uint8, k uint32) string {
	what := l.loaded[pc]
	var compare string
	switch code {
	case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
		l.to(pc+1, wordName(k))
		return "load " + wordName(k)
	case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
		l.to(pc+1, what+" masked")
		return fmt.Sprintf("mask with 0x%x", k)
	case unix.BPF_RET | unix.BPF_K:
		return "return " + actionName(k)
	case unix.BPF_JMP | unix.BPF_JA:
		l.to(pc+1+int(k), what)
		return fmt.Sprintf("go to %d", pc+1+int(k))
	case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
		compare = "=="
	case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
		compare = ">"
	case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
		compare = ">="
	case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
		compare = "has a bit of"
	default:
		return fmt.Sprintf("unknown code 0x%x %d %d 0x%x", code, jt, jf, k)
	}
	yes, no := pc+1+int(jt), pc+1+int(jf)
	l.to(yes, what)
	l.to(no, what)
	return fmt.Sprintf("if %s %s %s go to %d, else %d", what, compare, l.constant(what, k), yes, no)
}

func (l *listing) constant(what string, k uint32) string {
	name, known := l.arch.callName(int(k))
	switch {
	case what == "number" && known:
		return fmt.Sprintf("%d (%s)", k, name)
	case what == "number" && k < maxNumber:
		return fmt.Sprint(k)
	case what == "architecture" && k == l.arch.Audit:
		return fmt.Sprintf("0x%x (%s)", k, l.arch)
	}
	return fmt.Sprintf("0x%x", k)
}

// actionName says what a filter returns (linux/seccomp.h).
func actionName(k uint32) string {
	switch {
	case k == 0x7fff0000:
		return "allow"
	case k == retUserNotif:
		return "report to the daemon"
	case k&0xffff0000 == 0x00050000:
		return "errno " + errnoText(unix.Errno(k&0xffff))
	}
	return fmt.Sprintf("0x%x", k)
}
