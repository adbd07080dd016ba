// Package tsa asks a time stamping authority for RFC 3161 stamps over HTTP (evidence.md § 4,
// Outside time; setting tsa of the evidence section).
package tsa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"yuanlu/protocol/evidence/seal"
)

// ErrAnswer is the class of errors about an authority that cannot be reached or does not stamp.
var ErrAnswer = errors.New("tsa: no time stamp")

const (
	wait     = 30 * time.Second
	maxReply = 1 << 20
)

// Stamp returns the token of the authority at url over content, once it holds. It waits at
// most 30 s. ErrAnswer, or the class of what does not hold in the token.
func Stamp(ctx context.Context, client *http.Client, url string, content []byte) (token []byte, err error) {
	query, err := seal.Query(content)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(query))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	request.Header.Set("Content-Type", seal.QueryType)
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != seal.ReplyType {
		return nil, fmt.Errorf("%w: status %d, type %.40q; want 200, %s", ErrAnswer, answer.StatusCode, answer.Header.Get("Content-Type"), seal.ReplyType)
	}
	reply, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return seal.ReadReply(reply, content)
}
