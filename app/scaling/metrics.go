package scaling

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector shows Prometheus what only the service knows of the figures: how much the files take.
func (m *Monitor) Collector() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "radpanel_files_bytes", Help: "Size of all files, added up every few minutes. Not a number: it is not known.",
	}, func() float64 {
		// Not under the mutex, which is held as long as a slow database takes to answer.
		use := m.shown.Load()
		if use == nil || use.err != nil {
			return math.NaN()
		}
		return float64(use.bytes)
	})
}
