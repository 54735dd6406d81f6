package api

import "net/http"

// Handle adds a route for a test, such as one that panics or waits.
func (a *API) Handle(pattern string, handler http.HandlerFunc) { a.mux.HandleFunc(pattern, handler) }
