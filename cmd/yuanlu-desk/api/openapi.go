package api

import (
	"bytes"
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the OpenAPI 3.1 document of the interface, as JSON.
func OpenAPI() []byte { return bytes.Clone(openAPI) }

func (a *API) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // a client that went away does not get it
}

// healthPath is answered without a token: a probe has none, and learns nothing but
// whether the desk works.
const healthPath = "/healthz"

// streamPath is asked with the token, or with a session for what its person sees.
const streamPath = "/v1/stream"

func (a *API) health(w http.ResponseWriter, _ *http.Request) {
	status, ready := http.StatusOK, a.o.Ready()
	if !ready {
		status = http.StatusServiceUnavailable
	}
	a.respond(w, status, map[string]bool{"ready": ready})
}
