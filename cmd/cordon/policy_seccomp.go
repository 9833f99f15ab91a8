package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cordon/policy"
	"cordon/seccomp"
)

func policySeccompCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seccomp NAME",
		Short: "Show which system calls a policy's jobs may make",
		Long: "Show what the system call filter of a policy's jobs does: which calls are allowed, on which\n" +
			"conditions, and what a denied call is answered. --bpf prints the program that the kernel runs.",
		Example: "  cordon policy seccomp judge\n  cordon policy seccomp ci --arch arm64 --bpf",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := getPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			name, _ := cmd.Flags().GetString("arch")
			a, err := archByName(name)
			if err != nil {
				return err
			}
			bpf, _ := cmd.Flags().GetBool("bpf")
			return writeFilter(cmd.OutOrStdout(), p, a, bpf)
		},
	}
	cmd.Flags().String("arch", seccomp.Native().String(), "`architecture` of the jobs: "+strings.Join(archNames(), " or "))
	cmd.Flags().Bool("bpf", false, "print the program's instructions")
	return cmd
}

func archNames() []string {
	var names []string
	for _, a := range seccomp.Arches() {
		names = append(names, a.String())
	}
	return names
}

func archByName(name string) (seccomp.Arch, error) {
	for _, a := range seccomp.Arches() {
		if a.String() == name {
			return a, nil
		}
	}
	return seccomp.Arch{}, fmt.Errorf("--arch: given %q, allowed: %s; jobs run on the service's own, %s",
		name, strings.Join(archNames(), ", "), seccomp.Native())
}

// writeFilter shows the rules that a job of the policy is granted. A request has
// no part in them.
func writeFilter(w io.Writer, p *policy.Policy, a seccomp.Arch, bpf bool) error {
	granted, err := policy.Resolve(policy.Request{}, p)
	if err != nil {
		return err
	}
	rules := seccomp.Rules{Profile: granted.Seccomp.Profile, Allow: granted.Seccomp.Allow, Deny: granted.Seccomp.Deny}
	if _, err := fmt.Fprintf(w, "policy %s: ", p.Name); err != nil {
		return err
	}
	if !bpf {
		return seccomp.Describe(w, rules, a)
	}
	program, err := seccomp.Compile(rules, a)
	if err != nil {
		return err
	}
	return program.Disassemble(w)
}
