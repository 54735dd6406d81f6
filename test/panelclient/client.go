// Package panelclient speaks to a panel as a user's browser does: over HTTP, through Nginx, with a session cookie.
// Tests and benchmarks use it; it knows nothing of how the panel is built.
package panelclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// requestTimeout bounds one request, body included.
const requestTimeout = 30 * time.Second

// Client is one user's browser. It is safe for concurrent use once it is signed in.
type Client struct {
	base   *url.URL
	http   *http.Client
	cookie string
}

// New makes a client of the panel at base, such as "http://localhost:8080". Its connections come from the loopback
// address 127.x.y.z that visitor picks, so that each visitor meets the per-address limits as a person of their own.
func New(base string, visitor uint32) (*Client, error) {
	parsed, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("panel address %q: %w", base, err)
	}
	from := net.IPv4(127, byte(1+(visitor>>16)%250), byte(visitor>>8), byte(1+visitor%250))
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", parsed.Port()))
		},
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
	return &Client{base: parsed, http: &http.Client{Transport: transport, Timeout: requestTimeout}}, nil
}

// Over makes a client that reaches the panel by a transport of its own.
func Over(base string, transport *http.Transport) (*Client, error) {
	parsed, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("panel address %q: %w", base, err)
	}
	return &Client{base: parsed, http: &http.Client{Transport: transport, Timeout: requestTimeout}}, nil
}

// Close drops the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Cookie is the session as a Cookie header's value; empty before sign-up or sign-in.
func (c *Client) Cookie() string { return c.cookie }

// Problem is an answer of the API that is not a success.
type Problem struct {
	Status     int           `json:"status"`
	Type       string        `json:"type"`
	Title      string        `json:"title"`
	Detail     string        `json:"detail"`
	RetryAfter time.Duration `json:"-"`
}

func (p *Problem) Error() string {
	return fmt.Sprintf("panel answered %d %s: %s", p.Status, p.Title, p.Detail)
}

// StatusOf is the HTTP status in err, or 0 when the panel gave no answer.
func StatusOf(err error) int {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem.Status
	}
	return 0
}

// Option changes a request before it is sent.
type Option func(*http.Request)

// IdempotencyKey makes a repeated create harmless.
func IdempotencyKey(key string) Option {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

// Header sets a header.
func Header(name, value string) Option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// Do sends body as JSON (an io.Reader as it is, nil not at all) and decodes the answer into result (a *[]byte gets it
// as it is, nil drops it). An answer that is no success is a *Problem.
func (c *Client) Do(ctx context.Context, method, path string, body, result any, options ...Option) error {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader = b
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("encode the body of %s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.String()+"/api/v1"+path, reader)
	if err != nil {
		return err
	}
	if reader != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.cookie != "" {
		request.Header.Set("Cookie", c.cookie)
	}
	request.Header.Set("Origin", c.base.Scheme+"://"+c.base.Host)
	for _, option := range options {
		option(request)
	}
	if request.Header.Get("If-Match") != "" {
		// A web server that gets new configuration closes idle connections, and a request may just be on its way on one. As
		// browsers do with what is safe to repeat, and the front end with what names the version that it changes, the transport
		// sends it again on another; without a value, the header itself is not sent (net/http.Transport).
		request.Header["X-Idempotency-Key"] = nil
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return problemOf(response, content)
	}
	c.keepSession(response)
	switch target := result.(type) {
	case nil:
		return nil
	case *[]byte:
		*target = content
		return nil
	default:
		if err := json.Unmarshal(content, target); err != nil {
			return fmt.Errorf("%s %s: decode %q: %w", method, path, content, err)
		}
		return nil
	}
}

func problemOf(response *http.Response, content []byte) *Problem {
	problem := &Problem{}
	if json.Unmarshal(content, problem) != nil || problem.Status == 0 {
		problem = &Problem{Status: response.StatusCode, Title: http.StatusText(response.StatusCode), Detail: string(content)}
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		problem.RetryAfter = time.Duration(seconds) * time.Second
	}
	return problem
}

func (c *Client) keepSession(response *http.Response) {
	for _, cookie := range response.Cookies() {
		if strings.HasSuffix(cookie.Name, "rad_session") {
			c.cookie = cookie.Name + "=" + cookie.Value
		}
	}
}
