// Package userns holds everything about ids: the one user namespace the daemon
// lives in (started by RootlessKit, which holds the service user's whole
// subordinate range), the plan of a cell's id map, and the allocator that gives
// each running cell ids that no other running cell has.
package userns
