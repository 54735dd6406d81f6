package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATextIsWrittenWithoutWhatLooksLikeASecret(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.app.Stdin = strings.NewReader("~ size: 20 => 40\nerror: dial postgres://owner:" + "hunter2" + "@db/panel\n")
	require.Zero(t, c.run(t, "redact"), c.errors.String())
	assert.Equal(t, "~ size: 20 => 40\nerror: dial postgres://owner:[secret]@db/panel\n", c.out.String())
}
