// Package deploy holds the files that cordon setup installs on a host.
package deploy

import _ "embed" // for the files below

// Unit is the systemd unit of the service, for the user cordon.
//
//go:embed cordon.service
var Unit string

// AppArmor is the profile for hosts that keep user namespaces from programs
// without one.
//
//go:embed apparmor/cordon
var AppArmor string
