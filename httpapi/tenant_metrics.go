package httpapi

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cordon/sandbox"
)

// tenantMetrics count by tenant. Only tenants that are configured have rows: who is removed
// is gone with the next look.
type tenantMetrics struct {
	config *Config

	mu sync.Mutex
	of map[string]*tenantCount
}

type tenantCount struct {
	jobs  map[sandbox.Verdict]int64
	cpu   time.Duration
	turns map[Code]int64 // refused, by code
}

var (
	tenantJobs    = prometheus.NewDesc("cordon_tenant_jobs_total", "Finished jobs of a tenant by verdict.", []string{"tenant", "verdict"}, nil)
	tenantCPU     = prometheus.NewDesc("cordon_tenant_cpu_seconds_total", "CPU time that a tenant's jobs were charged for.", []string{"tenant"}, nil)
	tenantRefused = prometheus.NewDesc("cordon_tenant_refused_total", "Requests of a tenant that were refused, by code of the problem.", []string{"tenant", "code"}, nil)
	tenantHour    = prometheus.NewDesc("cordon_tenant_cpu_seconds_hour", "CPU time that a tenant's jobs were charged for within the last hour.", []string{"tenant"}, nil)
	tenantStored  = prometheus.NewDesc("cordon_tenant_stored_bytes", "Bytes of the files that a tenant keeps; one that two keep counts for each.", []string{"tenant"}, nil)
	tenantQueued  = prometheus.NewDesc("cordon_tenant_queue_jobs", "Jobs of a tenant that wait in the queue.", []string{"tenant"}, nil)
	tenantsThere  = prometheus.NewDesc("cordon_tenants", "Tenants that are configured.", nil, nil)
	tenantKeys    = prometheus.NewDesc("cordon_tenant_keys", "Keys of tenants that are good.", nil, nil)
	tenantsBroken = prometheus.NewDesc("cordon_tenants_broken", "1 while the file of tenants cannot be used, and an earlier state of it counts.", nil, nil)
)

// Describe is prometheus's.
func (m *tenantMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tenantJobs, tenantCPU, tenantRefused, tenantHour, tenantStored, tenantQueued, tenantsThere, tenantKeys, tenantsBroken} {
		to <- d
	}
}

// Collect is prometheus's.
func (m *tenantMetrics) Collect(to chan<- prometheus.Metric) {
	t := m.config.Tenancy
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	names := t.Keys.Names()
	broken := 0.0
	if t.Keys.Broken() != nil {
		broken = 1
	}
	gauge(tenantsThere, float64(len(names)))
	gauge(tenantKeys, float64(t.Keys.Keys()))
	gauge(tenantsBroken, broken)
	for _, name := range names {
		c := m.look(name)
		counter(tenantCPU, c.cpu.Seconds(), name)
		for verdict, n := range c.jobs {
			counter(tenantJobs, float64(n), name, string(verdict))
		}
		for code, n := range c.turns {
			counter(tenantRefused, float64(n), name, string(code))
		}
		gauge(tenantHour, t.Meter.Used(name).Seconds(), name)
		if t.Holdings != nil {
			gauge(tenantStored, float64(t.Holdings.Bytes(name)), name)
		}
		if m.config.Shared != nil {
			gauge(tenantStored, float64(m.config.Shared.of(name, 0).bytes()), name)
		}
		if m.config.Jobs != nil {
			gauge(tenantQueued, float64(m.config.Jobs.Queue.WaitingOf(name)), name)
		}
	}
}

// look is a copy of what was counted.
func (m *tenantMetrics) look(name string) tenantCount {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.of[name]
	if c == nil {
		return tenantCount{}
	}
	return tenantCount{maps.Clone(c.jobs), c.cpu, maps.Clone(c.turns)}
}

// count changes what a tenant has; m is nil where there are none.
func (m *tenantMetrics) count(name string, change func(*tenantCount)) {
	if m == nil || !m.config.Tenancy.Keys.Has(name) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[string]*tenantCount{}
	}
	c := m.of[name]
	if c == nil {
		c = &tenantCount{jobs: map[sandbox.Verdict]int64{}, turns: map[Code]int64{}}
		m.of[name] = c
	}
	change(c)
}

func (m *tenantMetrics) finished(name string, v sandbox.Verdict, cpu time.Duration) {
	m.count(name, func(c *tenantCount) {
		c.jobs[v]++
		c.cpu += cpu
	})
}

func (m *tenantMetrics) refused(name string, code Code) {
	m.count(name, func(c *tenantCount) { c.turns[code]++ })
}
