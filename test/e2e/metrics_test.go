package e2e

import (
	"io"
	"net/http"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// metric adds up the samples of a metric of a service that have all of the given labels, such as "result", "hit". A
// metric that is not there counts 0, a histogram what it has counted.
func (s *stack) metric(service, name string, labels ...string) float64 {
	s.t.Helper()
	address := s.service(service).Address
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	require.NoError(s.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(raw)))
	require.NoError(s.t, err)
	family, ok := families[name]
	if !ok {
		return 0
	}
	var sum float64
	for _, sample := range family.GetMetric() {
		has := map[string]string{}
		for _, pair := range sample.GetLabel() {
			has[pair.GetName()] = pair.GetValue()
		}
		matches := true
		for i := 0; i+1 < len(labels); i += 2 {
			matches = matches && has[labels[i]] == labels[i+1]
		}
		if matches {
			sum += sample.GetCounter().GetValue() + sample.GetGauge().GetValue() + sample.GetUntyped().GetValue() +
				float64(sample.GetHistogram().GetSampleCount())
		}
	}
	return sum
}
