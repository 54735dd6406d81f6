package api_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
)

func TestTheKeptDocumentIsTheServedOne(t *testing.T) {
	t.Parallel()
	want, err := api.OpenAPI()
	require.NoError(t, err)
	kept, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(kept), "openapi.json is stale: go run ./app openapi > app/api/openapi.json")

	served := newService(t).anonymous().do(t, "GET", "/openapi.json", nil).is(t, http.StatusOK)
	assert.Equal(t, string(want), string(served.Body))
}
