// Package shiptest stands in for CloudWatch in tests: by the services' own protocols, with their limits, and for those
// alone who sign as they should.
package shiptest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Limits of the services, as the references of their APIs give them (PutLogEvents, PutMetricData).
const (
	eventsLimit = 10_000
	batchLimit  = 1 << 20
	eventLimit  = 1 << 20
	overhead    = 26
	spanLimit   = 24 * time.Hour
	oldest      = 14 * 24 * time.Hour
	ahead       = 2 * time.Hour
	dataLimit   = 1000
)

// Event is one that was taken.
type Event struct {
	At      time.Time
	Message string
}

// Datum is a figure that was taken.
type Datum struct {
	Namespace, Name string
	Dimensions      map[string]string
	At              time.Time
	Value           float64
}

// CloudWatch is the stand-in. It is ready to serve with its exported fields set.
type CloudWatch struct {
	Region      string
	Credentials aws.Credentials
	Groups      []string
	// Fault, when set, is asked about each action, such as "PutLogEvents", and gives what goes wrong with it; nil: nothing.
	Fault func(action string) *Fault

	mutex   sync.Mutex
	streams map[string][]Event
	data    []Datum
	refused []string
}

// Fault is an answer that no client wants.
type Fault struct {
	Status int
	Code   string
	// After says that the call is carried out all the same: its answer alone is lost.
	After bool
}

// Events gives those of a stream, in the order in which they were taken.
func (c *CloudWatch) Events(group, stream string) []Event {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Clone(c.streams[group+"\x00"+stream])
}

// Data gives all figures.
func (c *CloudWatch) Data() []Datum {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Clone(c.data)
}

// Refused tells what was wrong with calls that the services would not take.
func (c *CloudWatch) Refused() []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Clone(c.refused)
}

// ServeHTTP answers as both services.
func (c *CloudWatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "Logs_20140328.")
	service, serve, fail := "logs", c.serveLogs, failJSON
	if !ok {
		action, ok = strings.CutPrefix(r.URL.Path, "/service/GraniteServiceVersion20100801/operation/")
		service, serve, fail = "monitoring", c.serveFigures, failCBOR
	}
	if !ok || r.Method != http.MethodPost {
		http.Error(w, "neither of the services", http.StatusNotFound)
		return
	}
	if err := c.verify(r, body, service); err != nil {
		c.refuse(action, err)
		fail(w, http.StatusForbidden, "AccessDeniedException", err.Error())
		return
	}
	var fault *Fault
	if c.Fault != nil {
		fault = c.Fault(action)
	}
	if fault != nil && !fault.After {
		fail(w, fault.Status, fault.Code, "as the test wants it")
		return
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(unzipped, 4<<20))
		}
		if err != nil {
			fail(w, http.StatusBadRequest, "InvalidParameterException", err.Error())
			return
		}
	}
	code, answer, err := serve(action, body)
	switch {
	case err != nil:
		if code != "ResourceNotFoundException" && code != "ResourceAlreadyExistsException" {
			c.refuse(action, err)
		}
		fail(w, http.StatusBadRequest, code, err.Error())
	case fault != nil:
		fail(w, fault.Status, fault.Code, "as the test wants it, but it was done")
	case service == "logs":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(answer)
	default:
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.WriteHeader(http.StatusOK)
	}
}

func (c *CloudWatch) refuse(action string, err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.refused = append(c.refused, action+": "+err.Error())
}

// verify signs the request anew, as Signature Version 4 wants it, and compares.
func (c *CloudWatch) verify(r *http.Request, body []byte, service string) error {
	authorization := r.Header.Get("Authorization")
	_, names, ok := strings.Cut(authorization, "SignedHeaders=")
	names, _, more := strings.Cut(names, ",")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if !ok || !more || err != nil {
		return fmt.Errorf("authorization %q, date %q: expected a signature", authorization, r.Header.Get("X-Amz-Date"))
	}
	if apart := time.Since(at).Abs(); apart > 5*time.Minute {
		return fmt.Errorf("signed %s from now", apart)
	}
	again, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, "http://"+r.Host+r.URL.RequestURI(), //nolint:gosec // It is signed, not sent.
		bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(names, ";") {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	again.ContentLength = r.ContentLength
	digest := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), c.Credentials, again, hex.EncodeToString(digest[:]), service, c.Region, at); err != nil {
		return err
	}
	if again.Header.Get("Authorization") != authorization || c.Credentials.SessionToken != "" && !strings.Contains(names, "x-amz-security-token") {
		return fmt.Errorf("the signature is %q: expected %q", authorization, again.Header.Get("Authorization"))
	}
	return nil
}

func failJSON(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": text})
}
