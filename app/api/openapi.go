package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/radpanel/radpanel/app/config"
)

// OpenAPI returns the document without a running service.
func OpenAPI() ([]byte, error) {
	a, err := New(Deps{Config: config.Config{MaxInFlight: 1}})
	if err != nil {
		return nil, err
	}
	return a.Document(), nil
}

// Document returns the OpenAPI 3.1 document of all operations, as it is served and as it is kept in openapi.json.
func (a *API) Document() []byte { return a.document }

func (a *API) renderDocument() ([]byte, error) {
	raw, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func (a *API) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(a.document) // The client may be gone.
}
