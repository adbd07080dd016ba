package api

import (
	"bytes"
	_ "embed" // openapi.json
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the description of the API, an OpenAPI 3.1 document.
func OpenAPI() []byte { return bytes.Clone(openAPI) }
