package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// scopeWithin is how long a manager may take to make a scope.
const scopeWithin = 10 * time.Second

// manager is the part of systemd's D-Bus interface that a scope needs.
type manager interface {
	StartTransientUnitContext(ctx context.Context, name, mode string, properties []dbus.Property, result chan<- string) (int, error)
	Close()
}

// Where the two managers are asked: the caller's own, and the machine's. Tests
// put others in their place.
var (
	userManager   = func(ctx context.Context) (manager, error) { return userSystemd(ctx, userSocket()) }
	systemManager = func(ctx context.Context) (manager, error) { return dbus.NewSystemdConnectionContext(ctx) }
)

// userSocket is where a user's systemd listens itself, as systemctl --user asks it:
// there whether or not the user has a bus, and whatever the environment says.
func userSocket() string { return fmt.Sprintf("/run/user/%d/systemd/private", os.Getuid()) }

func userSystemd(ctx context.Context, socket string) (manager, error) {
	return dbus.NewConnection(func() (*godbus.Conn, error) {
		conn, err := godbus.Dial("unix:path="+godbus.EscapeBusAddressValue(socket), godbus.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	})
}

// errNoSystemd: there is nobody to ask.
var errNoSystemd = errors.New("systemd does not run this machine")

// enterScope asks a systemd manager for a scope with delegation and for this
// process to be moved into it (systemd.scope(5), org.freedesktop.systemd1(5)).
// It returns when the process is there.
func enterScope(ask func(context.Context) (manager, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), scopeWithin)
	defer cancel()
	m, err := ask(ctx)
	if err != nil {
		return fmt.Errorf("ask systemd for a scope: %w", err)
	}
	defer m.Close()
	name := fmt.Sprintf("cordon-%d.scope", os.Getpid())
	delegate := dbus.Property{Name: "Delegate", Value: godbus.MakeVariant(true)}
	result := make(chan string, 1)
	_, err = m.StartTransientUnitContext(ctx, name, "fail",
		[]dbus.Property{dbus.PropDescription("Cordon"), dbus.PropPids(uint32(os.Getpid())), delegate}, result)
	if err != nil {
		return fmt.Errorf("ask systemd for the scope %s: %w", name, err)
	}
	select {
	case r := <-result:
		if r != "done" {
			return fmt.Errorf("systemd did not start the scope %s: %s", name, r)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("systemd did not start the scope %s within %v", name, scopeWithin)
	}
}

// ownScope is for an ordinary user on a systemd machine: nothing needs root
// there, because the user's manager may divide its own group.
func ownScope() error {
	if !realHost.booted() {
		return errNoSystemd
	}
	return enterScope(userManager)
}
