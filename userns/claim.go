package userns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Claim reserves a block of the user's range by binding an abstract socket that
// names user and block. It needs no file and no right, is seen across mount
// namespaces, and is gone with the process, however that ends.
func Claim() (func(block int) (io.Closer, error), error) {
	owner, err := hostUser()
	if err != nil {
		return nil, err
	}
	return claimFor(owner), nil
}

func claimFor(owner int) func(block int) (io.Closer, error) {
	return func(block int) (io.Closer, error) {
		l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: fmt.Sprintf("@cordon-ids-%d-%d", owner, block)})
		if errors.Is(err, unix.EADDRINUSE) {
			return nil, ErrClaimed
		}
		if err != nil {
			return nil, fmt.Errorf("claim subordinate ids: %w", err)
		}
		return l, nil
	}
}

// hostUser is the id of the service user on the host: what id 0 is mapped to.
func hostUser() (int, error) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "0" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, errors.New("/proc/self/uid_map: id 0 is not mapped")
}
