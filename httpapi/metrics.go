package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/store"
)

// metrics are counted here; labels come from closed sets only: verdicts, the
// names of loaded policies, routes.
type metrics struct {
	jobs     *prometheus.CounterVec
	tests    *prometheus.CounterVec
	stages   *prometheus.HistogramVec
	requests *prometheus.CounterVec
	refused  *prometheus.CounterVec

	submitted      *prometheus.CounterVec
	droppedReaders *prometheus.CounterVec
	tellings       *prometheus.CounterVec
	droppedClients *prometheus.CounterVec

	connections connectionMetrics

	tenants *tenantMetrics // nil: there are none
	hour    *hour
}

func newMetrics(reg *prometheus.Registry, c *Config, a *admission) *metrics {
	m := &metrics{hour: newHour(),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_jobs_total",
			Help: "Finished jobs by verdict and policy."}, []string{"verdict", "policy"}),
		tests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_tests_total",
			Help: "Tests of finished jobs by verdict."}, []string{"verdict"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "cordon_stage_seconds",
			Help: "Time of finished jobs in each stage.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18)}, []string{"stage"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_http_requests_total",
			Help: "HTTP requests by route and class of status."}, []string{"route", "status"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_refused_total",
			Help: "Jobs that were not taken, by code of the problem."}, []string{"code"}),
		submitted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_queue_submitted_total",
			Help: "Jobs that were queued, by priority."}, []string{"priority"}),
		droppedReaders: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_event_readers_dropped_total",
			Help: "Readers of a job's events that left, or took nothing for too long, before its end."}, []string{"reason"}),
		tellings: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_webhook_attempts_total",
			Help: "Attempts to deliver a webhook, by what came of them."}, []string{"outcome"}),
		droppedClients: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cordon_attached_dropped_total",
			Help: "Attached clients that left, or were let go, before their job's end."}, []string{"reason"}),
		connections: connectionMetrics{
			open: prometheus.NewGauge(prometheus.GaugeOpts{Name: "cordon_connections", Help: "Connections that are open."}),
			dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "cordon_connections_dropped_total",
				Help: "Connections that were closed for others, because places were short."})},
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	stat := func(pick func(sandbox.Stats) int64) func() float64 {
		return func() float64 { return float64(pick(runnerOf(c).Stats())) }
	}
	reg.MustRegister(m.jobs, m.tests, m.stages, m.requests, m.refused, m.submitted, m.droppedReaders, m.tellings, m.droppedClients, m.connections.open, m.connections.dropped,
		gauge("cordon_jobs_inside", "Jobs that run or wait.", func() float64 { return float64(a.inside()) }),
		gauge("cordon_jobs_running", "Jobs that run.", stat(func(s sandbox.Stats) int64 { return s.Running })),
		gauge("cordon_jobs_waiting", "Jobs, and tests of jobs, that wait for a place; of queued ones the next of each tenant.", stat(func(s sandbox.Stats) int64 { return s.Waiting })),
		gauge("cordon_tenants_waiting", "Tenants of which jobs wait for a place.", stat(func(s sandbox.Stats) int64 { return s.Tenants })),
		gauge("cordon_promised_memory_bytes", "Memory limits of the jobs that run, together.", stat(func(s sandbox.Stats) int64 { return s.Memory })),
		gauge("cordon_promised_memory_bytes_most", "What these may come to; 0: there is no bound.", stat(func(s sandbox.Stats) int64 { return s.MemoryAll })),
		gauge("cordon_promised_cpus", "CPU rates of the jobs that run, together.", func() float64 { return runnerOf(c).Stats().CPUs }),
		gauge("cordon_promised_cpus_most", "What these may come to; 0: there is no bound.", func() float64 { return runnerOf(c).Stats().CPUsAll }),
		gauge("cordon_warm_cells", "Cells that wait for a job.", stat(func(s sandbox.Stats) int64 { return s.WarmCells })),
		gauge("cordon_clearing_cells", "Cells that have done their work and are being taken down.", stat(func(s sandbox.Stats) int64 { return s.Clearing })),
		gauge("cordon_kept_networks", "Unused network namespaces that are kept for cells to come.", stat(func(s sandbox.Stats) int64 { return s.Networks })),
		gauge("cordon_free_id_ranges", "Subordinate id ranges that no cell uses.", stat(func(s sandbox.Stats) int64 { return s.FreeIDs })),
		gauge("cordon_builds", "Builds that are kept.", stat(func(s sandbox.Stats) int64 { return s.Builds.Builds })),
		gauge("cordon_builds_bytes", "Bytes of the builds that are kept.", stat(func(s sandbox.Stats) int64 { return s.Builds.Bytes })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "cordon_builds_used_again_total",
			Help: "Jobs that began with a build of an earlier one."}, stat(func(s sandbox.Stats) int64 { return s.Builds.Hits })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "cordon_builds_made_total",
			Help: "Builds that were begun."}, stat(func(s sandbox.Stats) int64 { return s.Builds.Misses })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "cordon_leaks_total",
			Help: "Cells, cgroups or files that could not be taken down."}, stat(func(s sandbox.Stats) int64 { return s.Leaks })))
	if c.Jobs != nil {
		reg.MustRegister(queueMetrics(c.Jobs.Queue)...)
	}
	if c.Tenancy != nil {
		m.tenants = &tenantMetrics{config: c}
		reg.MustRegister(m.tenants)
	}
	if c.Files != nil {
		reg.MustRegister(fileMetrics(c.Files)...)
	}
	return m
}

// queueMetrics are those of the queue.
func queueMetrics(q *queue.Queue) (out []prometheus.Collector) {
	for _, state := range queue.States {
		out = append(out, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cordon_queue_jobs", Help: "Jobs of the queue by state.",
			ConstLabels: prometheus.Labels{"state": string(state)}}, func() float64 { return float64(q.Stats().Jobs[state]) }))
	}
	return append(out,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cordon_webhooks_untold", Help: "Jobs that have ended of which a webhook is still to tell."},
			func() float64 { return float64(q.Untold()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cordon_queue_workers", Help: "Services that run jobs of the queue, as far as this one follows them."},
			func() float64 { return float64(len(q.Living())) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "cordon_queue_claims_refused_total", Help: "Jobs of the queue that another service began first."},
			func() float64 { return float64(q.Refused()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cordon_queue_request_bytes", Help: "Bytes of the requests of jobs that wait or run."},
			func() float64 { return float64(q.Stats().RequestBytes) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cordon_queue_result_bytes", Help: "Bytes of the results that are kept, and of their records."},
			func() float64 { return float64(q.Stats().ResultBytes) }))
}

// fileMetrics are those of the files that are kept.
func fileMetrics(f Files) []prometheus.Collector {
	stat := func(pick func(store.Stats) float64) func() float64 { return func() float64 { return pick(f.Stats()) } }
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cordon_store_files", Help: "Files that are kept."},
			stat(func(s store.Stats) float64 { return float64(s.Files) })),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cordon_store_bytes", Help: "Bytes of the files that are kept."},
			stat(func(s store.Stats) float64 { return float64(s.Bytes) })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "cordon_store_evicted_total", Help: "Files that were removed to make room, or for their age."},
			stat(func(s store.Stats) float64 { return float64(s.Evicted + s.Expired) })),
	}
}

func (m *metrics) finished(r *sandbox.Result) {
	m.hour.add(r)
	m.jobs.WithLabelValues(string(r.Verdict), r.Policy).Inc()
	for i := range r.Tests {
		m.tests.WithLabelValues(string(r.Tests[i].Verdict)).Inc()
	}
	for stage, ns := range map[string]int64{"queued": r.Timings.QueuedNanos, "setup": r.Timings.SetupNanos,
		"run": r.Timings.RunNanos, "teardown": r.Timings.TeardownNanos} {
		m.stages.WithLabelValues(stage).Observe(float64(ns) / 1e9)
	}
}
