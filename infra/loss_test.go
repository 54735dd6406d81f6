package infra_test

import (
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/local/provider"
)

// Each type of the local target is either known to hold data, or known to be made again at will.
func TestEveryTypeIsKnownToHoldDataOrNot(t *testing.T) {
	t.Parallel()
	made, err := provider.New()
	require.NoError(t, err)
	spec, err := p.GetSchema(t.Context(), provider.Name, provider.Version, made)
	require.NoError(t, err)
	remade := map[string]bool{"Port": true, "Release": true, "Replica": true, "Service": true}
	for token := range spec.Resources {
		kind := token[len(provider.Token("")):]
		assert.Equal(t, !remade[kind], infra.Loss(token) != "", "%s: say in infra.Loss what is lost with it, or here that nothing is", kind)
	}
}
