package stacks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/radpanel/radpanel/stacks"
)

func TestUnitsAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0 B":         stacks.Bytes(0).String(),
		"1 B":         stacks.Bytes(1).String(),
		"1,025 B":     stacks.Bytes(1025).String(),
		"1 KiB":       stacks.KiB.String(),
		"1,280 MiB":   (1280 * stacks.MiB).String(),
		"20 GiB":      (20 * stacks.GiB).String(),
		"2 TiB":       (2 * stacks.TiB).String(),
		"2,000 GiB":   (2000 * stacks.GiB).String(),
		"-1 GiB":      (-stacks.GiB).String(),
		"$0":          stacks.USD(0).String(),
		"$999":        stacks.USD(999).String(),
		"$1,234,567":  stacks.USD(1234567).String(),
		"$-1,000":     stacks.USD(-1000).String(),
		"99.95 %":     stacks.Percent(99.95).String(),
		"500 ms":      stacks.Seconds.Format(0.5),
		"37.5 ms":     stacks.Seconds.Format(0.0375),
		"1.5 s":       stacks.Seconds.Format(1.5),
		"15 min":      stacks.Seconds.Format(900),
		"36 h":        stacks.Seconds.Format(36 * 3600),
		"7 d":         stacks.Seconds.Format(7 * 24 * 3600),
		"70 %":        stacks.OfHundred.Format(70),
		"1000/s":      stacks.PerSecond.Format(1000),
		"50 GiB":      stacks.BytesStored.Format(50 * float64(stacks.GiB)),
		"15":          stacks.Count.Format(15),
		"+$5-6/month": stacks.Cost{Low: 5, High: 6, Added: true}.String(),
	} {
		assert.Equal(t, want, got)
	}
}

func TestErrorBudget(t *testing.T) {
	t.Parallel()
	month := 30 * 24 * time.Hour
	assert.Equal(t, 7*time.Hour+12*time.Minute, stacks.SLO{Uptime: 99}.ErrorBudget(month))
	assert.Equal(t, 4*time.Minute+19*time.Second, stacks.SLO{Uptime: 99.99}.ErrorBudget(month))
}
