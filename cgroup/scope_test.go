package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/dbus"
)

// fakeManager answers as systemd does: by a message on the channel, later.
type fakeManager struct {
	result     string
	err        error
	name, mode string
	properties map[string]any
	closed     bool
}

func (m *fakeManager) StartTransientUnitContext(_ context.Context, name, mode string, properties []dbus.Property, result chan<- string) (int, error) {
	m.name, m.mode, m.properties = name, mode, map[string]any{}
	for _, p := range properties {
		m.properties[p.Name] = p.Value.Value()
	}
	if m.err != nil {
		return 0, m.err
	}
	go func() { result <- m.result }()
	return 1, nil
}

func (m *fakeManager) Close() { m.closed = true }

// Nobody but the user's systemd is asked: no bus of another user, and none that is
// started for the question.
func TestNoUserSystemd(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/none")
	socket := filepath.Join(t.TempDir(), "private")
	_, err := userSystemd(t.Context(), socket)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), socket) {
		t.Errorf("got %v, want one that names %s", err, socket)
	}
	if want := fmt.Sprintf("/run/user/%d/", os.Getuid()); !strings.HasPrefix(userSocket(), want) {
		t.Errorf("got %s, want one below %s", userSocket(), want)
	}
}

func TestEnterScope(t *testing.T) {
	for name, c := range map[string]struct {
		manager *fakeManager
		ask     error
		says    string
	}{
		"made":         {&fakeManager{result: "done"}, nil, ""},
		"not started":  {&fakeManager{result: "failed"}, nil, "did not start the scope cordon-"},
		"refused":      {&fakeManager{err: errors.New("Access denied")}, nil, "Access denied"},
		"nobody there": {&fakeManager{}, errors.New("no such file"), "ask systemd for a scope: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			err := enterScope(func(context.Context) (manager, error) { return c.manager, c.ask })
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if c.ask != nil {
				return
			}
			m := c.manager
			if m.name != fmt.Sprintf("cordon-%d.scope", os.Getpid()) || m.mode != "fail" || !m.closed {
				t.Errorf("asked for %q, mode %q, closed %v", m.name, m.mode, m.closed)
			}
			if m.properties["Delegate"] != true || fmt.Sprint(m.properties["PIDs"]) != fmt.Sprintf("[%d]", os.Getpid()) {
				t.Errorf("properties %v", m.properties)
			}
		})
	}
}
