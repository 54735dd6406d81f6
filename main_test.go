package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfigurationTakesEveryKeyOfTheProjectAndNoOther(t *testing.T) {
	t.Parallel()
	config, err := configuration(`{"rad-panel:tier":"mvp","rad-panel:logLevl":"debug","aws:region":"eu-west-1"}`)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"tier": "mvp", "logLevl": "debug"}, config)
}

func TestConfigurationOutsidePulumiIsAnError(t *testing.T) {
	t.Parallel()
	_, err := configuration("")
	require.ErrorContains(t, err, "PULUMI_CONFIG")
}
