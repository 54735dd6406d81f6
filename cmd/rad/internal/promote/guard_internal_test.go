package promote

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// linesOf are the lines of a rad that has said them all, and still lives.
func linesOf(what ...string) chan string {
	lines := make(chan string, len(what))
	for _, line := range what {
		lines <- line
	}
	return lines
}

func TestAGuardKnowsWhenThereIsNothingToPutInOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines           []string
		broken, opening bool
	}{
		"rad was killed before":         {nil, false, false},
		"rad was killed while it holds": {[]string{guardHolding}, true, false},
		"rad was killed while it opens": {[]string{guardHolding, guardOpening}, true, true},
		"rad was killed as it settles":  {[]string{guardHolding, guardOpening, guardSettling}, true, true},
		"it is done":                    {[]string{guardHolding, guardOpening, guardDone}, false, true},
		"it was never held":             {[]string{guardDone}, false, false},
	} {
		lines := linesOf(c.lines...)
		close(lines)
		broken, opening, err := watchOver(t.Context(), lines, time.Hour, func() { t.Error("rad is gone, and was killed") })
		require.NoError(t, err)
		assert.Equal(t, c.broken, broken, name)
		assert.Equal(t, c.opening, opening, name)
	}
}

// What rad says in the moment in which it is too late still counts: otherwise the old database would be opened beside the new.
func TestAGuardHearsWhatRadSaidBeforeItWasKilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		last            []string
		broken, opening bool
	}{
		"it has only held": {nil, true, false},
		"it opens":         {[]string{guardOpening}, true, true},
		"it is done":       {[]string{guardOpening, guardDone}, false, true},
	} {
		lines := make(chan string, 3)
		lines <- guardHolding
		killed := 0
		broken, opening, err := watchOver(t.Context(), lines, 20*time.Millisecond, func() {
			killed++
			for _, line := range c.last { // They are on their way when it is killed.
				lines <- line
			}
			close(lines)
		})
		require.NoError(t, err)
		assert.Equal(t, 1, killed, name)
		assert.Equal(t, c.broken, broken, name)
		assert.Equal(t, c.opening, opening, name)
	}
}

func TestAGuardTakesTheWorstOfARadThatDoesNotDie(t *testing.T) {
	t.Parallel()
	broken, opening, err := watchOver(t.Context(), linesOf(guardHolding), 10*time.Millisecond, func() {})
	require.NoError(t, err)
	assert.True(t, broken)
	assert.True(t, opening, "the other database may be open")

	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, _, err = watchOver(ctx, linesOf(), time.Hour, func() {})
	require.ErrorIs(t, err, context.Canceled)
}
