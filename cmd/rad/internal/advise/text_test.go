package advise_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

// busy is what is measured of an MVP that has been outgrown.
func busy() advise.Measurements {
	measured := idle()
	grows := func(last, perDay float64) advise.Series {
		return course(28*aDay, now(), func(age time.Duration) float64 { return last - perDay*daysOf(age) })
	}
	measured["response_time_p95"] = grows(0.381, 0.004)
	measured["host_cpu"] = course(28*aDay, now(), func(age time.Duration) float64 {
		if age < 50*time.Minute {
			return 83.46
		}
		return 61.2 - daysOf(age)
	})
	measured["database_connections"] = grows(11, 0)
	measured["storage_used"] = grows(6.3*float64(stacks.GiB), 55.5*float64(stacks.MiB))
	measured[advise.ConcurrentUsers] = grows(93, 2)
	measured[advise.RequestsPerSecond] = grows(31.27, 1)
	measured[advise.PageLoad] = grows(1.43, 0)
	measured[advise.Uptime] = grows(99.9963, 0)
	return measured
}

// TestAdviceAsPeopleAndProgramsSeeIt compares the text and the JSON with what was reviewed.
func TestAdviceAsPeopleAndProgramsSeeIt(t *testing.T) {
	t.Parallel()
	overdue := busy()
	overdue[advise.ConcurrentUsers] = steady(130, aDay, now())
	overdue[advise.Uptime] = steady(98.61, aDay, now())
	stale := busy()
	stale["host_cpu"] = steady(10, aDay, now().Add(-20*time.Minute))
	delete(stale, "storage_used")
	watched := idle()
	watched["response_time_p95"] = course(time.Hour, now(), func(age time.Duration) float64 {
		if age < 5*time.Minute {
			return 0.75
		}
		return 0.2
	})
	promote := about(t, "local-mvp", busy())
	promote.Next.Cost.AWS = 112.95
	for name, advice := range map[string]advise.Advice{
		"stay":    about(t, "local-mvp", idle()),
		"watch":   about(t, "local-mvp", watched),
		"promote": promote,
		"overdue": about(t, "local-mvp", overdue),
		"refused": about(t, "local-mvp", stale),
		"tier1":   about(t, "local-tier1", idle()),
		"last":    about(t, "local-tier4", idle()),
	} {
		for suffix, colour := range map[string]bool{".golden": false, ".colour.golden": true} {
			var text bytes.Buffer
			require.NoError(t, advise.Write(&text, advice, progress.NewStyle(colour)))
			golden.Check(t, "testdata/"+name+suffix, text.String())
			if colour {
				continue
			}
			lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
			assert.LessOrEqual(t, len(lines), 27, "%s: one screen", name)
			for _, line := range lines {
				assert.LessOrEqual(t, utf8.RuneCountInString(line), 120, line)
			}
		}
		content, err := json.MarshalIndent(advice, "", "  ")
		require.NoError(t, err)
		golden.Check(t, "testdata/"+name+".json.golden", string(append(content, '\n')))
	}
}
