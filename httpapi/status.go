package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cordon/queue"
	"cordon/tenants"
)

const statusPath = "/v1/status"

// ServiceStatus is how the service is, for the person who runs it.
type ServiceStatus struct {
	Version  string         `json:"version"`
	Started  time.Time      `json:"started_at"`
	Now      time.Time      `json:"now"`
	Draining bool           `json:"draining" doc:"The service ends, and takes no jobs"`
	Places   PlacesStatus   `json:"places"`
	Jobs     []JobInside    `json:"jobs" doc:"That run here, or wait for a place, the oldest first; 200 at most"`
	Inside   int            `json:"inside" doc:"How many there are of them"`
	Queue    *QueueStatus   `json:"queue,omitempty" doc:"Absent where there is none"`
	Cells    []CellsStatus  `json:"cells" doc:"Warm cells by kind: those of one root and one filter"`
	Tenants  []TenantStatus `json:"tenants"`
	Hour     MinuteStatus   `json:"hour" doc:"What became of jobs within the last hour that ran here"`
	Minutes  []MinuteStatus `json:"minutes" doc:"The same by minutes, the oldest first; those in which none ended are not there"`
	Links    StatusLinks    `json:"links"`
}

// PlacesStatus are the places for jobs that run at once, and what these are promised.
type PlacesStatus struct {
	Running         int64   `json:"running" doc:"Jobs, and tests of jobs, that have one"`
	Waiting         int64   `json:"waiting" doc:"For one; of queued jobs the next of each tenant"`
	MemoryBytes     int64   `json:"memory_bytes" doc:"Limits of memory of those that run, together"`
	MemoryBytesMost int64   `json:"memory_bytes_most" doc:"What these may come to; 0: there is no bound"`
	CPUs            float64 `json:"cpus"`
	CPUsMost        float64 `json:"cpus_most"`
	FreeIDs         int64   `json:"free_ids" doc:"Subordinate id ranges that no cell uses; 0 on a host without"`
	Leaks           int64   `json:"leaks" doc:"Cells, cgroups or files that could not be taken down since the start"`
}

// QueueStatus is the durable queue.
type QueueStatus struct {
	States       map[string]int64 `json:"states" doc:"Jobs by state"`
	Waiting      []WaitingStatus  `json:"waiting" doc:"Those that wait, by tenant and priority"`
	RequestBytes int64            `json:"request_bytes"`
	ResultBytes  int64            `json:"result_bytes"`
	Services     int              `json:"services" doc:"That run jobs of it, as far as this one follows them; 0 where it is alone"`
}

// WaitingStatus are jobs of one tenant and priority that wait.
type WaitingStatus struct {
	Tenant   string    `json:"tenant,omitempty" doc:"Absent: the operator's"`
	Priority string    `json:"priority" enum:"high,normal,low"`
	Jobs     int64     `json:"jobs"`
	Oldest   time.Time `json:"oldest_at" doc:"When the one that waits longest came"`
}

// CellsStatus are the warm cells of a kind.
type CellsStatus struct {
	Kind     string   `json:"kind" doc:"Of its root and its filter"`
	Policies []string `json:"policies" doc:"Whose jobs have used it"`
	Warm     int      `json:"warm" doc:"That wait for a job"`
	Wanted   int      `json:"wanted" doc:"That should, as has been learned"`
	Users    int      `json:"users" doc:"Jobs, and makers of cells, that hold it now"`
}

// TenantStatus is what a tenant uses, beside what it may.
type TenantStatus struct {
	Name        string         `json:"name"`
	Running     int            `json:"running" doc:"Jobs that have a place here"`
	Waiting     int64          `json:"waiting" doc:"Jobs in the queue"`
	CPUHour     float64        `json:"cpu_seconds_hour" doc:"CPU time charged within the last hour"`
	StoredBytes int64          `json:"stored_bytes" doc:"Of kept files"`
	Limits      tenants.Limits `json:"limits" doc:"What is not there is not bounded"`
}

// StatusLinks are where there is more.
type StatusLinks struct {
	Doctor  string `json:"doctor"`
	Metrics string `json:"metrics"`
	OpenAPI string `json:"openapi"`
}

func (s *Server) registerStatus() {
	huma.Register(s.api, huma.Operation{
		OperationID: "status", Method: http.MethodGet, Path: statusPath, Summary: "How the service is: places, queue, jobs, tenants, the last hour",
		Responses: problems(s.api.OpenAPI().Components.Schemas, 401, 403, 421, 429, 431),
	}, s.serviceStatus)
}

// serviceStatus is GET /v1/status.
func (s *Server) serviceStatus(context.Context, *empty) (*answer[ServiceStatus], error) {
	now := runnerOf(&s.config).Stats()
	out := ServiceStatus{Version: s.config.Version, Started: s.began.UTC(), Now: time.Now().UTC(), Draining: s.draining.Load(),
		Places: PlacesStatus{now.Running, now.Waiting, now.Memory, now.MemoryAll, now.CPUs, now.CPUsAll, now.FreeIDs, now.Leaks},
		Cells:  []CellsStatus{}, Links: StatusLinks{"/v1/doctor", "/metrics", "/openapi.yaml"}}
	for _, k := range now.Kinds {
		out.Cells = append(out.Cells, CellsStatus(k))
	}
	var running map[string]int
	out.Jobs, out.Inside, running = s.insiders.look()
	if s.config.Jobs != nil {
		out.Queue = queueStatus(s.config.Jobs.Queue)
	}
	out.Tenants = s.tenantStatus(running)
	out.Hour, out.Minutes = s.metrics.hour.look()
	return &answer[ServiceStatus]{out}, nil
}

func queueStatus(q *queue.Queue) *QueueStatus {
	stats := q.Stats()
	out := &QueueStatus{States: map[string]int64{}, Waiting: []WaitingStatus{}, RequestBytes: stats.RequestBytes, ResultBytes: stats.ResultBytes, Services: len(q.Living())}
	for _, state := range queue.States {
		out.States[string(state)] = stats.Jobs[state]
	}
	for _, w := range q.Waits() {
		out.Waiting = append(out.Waiting, WaitingStatus{w.Tenant, string(w.Priority), w.Jobs, w.Oldest})
	}
	slices.SortFunc(out.Waiting, func(a, b WaitingStatus) int {
		return cmp.Or(cmp.Compare(b.Jobs, a.Jobs), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Priority, b.Priority))
	})
	return out
}

func (s *Server) tenantStatus(running map[string]int) []TenantStatus {
	out := []TenantStatus{}
	t := s.config.Tenancy
	if t == nil {
		return out
	}
	for _, name := range t.Keys.Names() {
		one := TenantStatus{Name: name, Running: running[name], CPUHour: t.Meter.Used(name).Seconds(), Limits: t.Keys.Limits(name)}
		switch {
		case s.config.Shared != nil:
			one.StoredBytes = s.config.Shared.of(name, 0).bytes()
		case t.Holdings != nil:
			one.StoredBytes = t.Holdings.Bytes(name)
		}
		if s.config.Jobs != nil {
			one.Waiting = s.config.Jobs.Queue.WaitingOf(name)
		}
		out = append(out, one)
	}
	return out
}
