package hostboot

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// topics takes what is published, of whoever signs as the role.
type topics struct {
	mutex sync.Mutex
	sent  []url.Values
}

// ServeHTTP answers as SNS does, by its query protocol.
func (s *topics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !signedByRole(r, "sns") {
		http.Error(w, "<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>", http.StatusForbidden)
		return
	}
	if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "Publish" || r.PostForm.Get("TopicArn") != alertTopic {
		http.Error(w, "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>", http.StatusBadRequest)
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.sent = append(s.sent, r.PostForm)
	_, _ = w.Write([]byte("<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"))
}

// published tells whether a message with a subject and a part of a text has come.
func (s *topics) published(subject, part string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if slices.ContainsFunc(s.sent, func(m url.Values) bool {
		return strings.HasPrefix(m.Get("Subject"), subject) && strings.Contains(m.Get("Message"), part)
	}) {
		return nil
	}
	return fmt.Errorf("none %q of %v", subject, s.sent)
}

// tellsAlerts freezes something that is measured, until the topic knows; and lets it go on.
func (b *booted) tellsAlerts() {
	b.Helper()
	const unit, patience = "radpanel-postgres-exporter", 10 * time.Minute // The alert waits for five, its end for five more.
	b.container.run("systemctl", "kill", "--signal=STOP", unit)
	b.awaits(patience, "an alert", func() error {
		return b.cloud.topics.published("FIRING: measurement-missing", "severity ticket, firing")
	})
	b.container.run("systemctl", "kill", "--signal=CONT", unit)
	b.awaits(patience, "its end", func() error {
		return b.cloud.topics.published("RESOLVED: measurement-missing", "docs/runbooks/measurement-missing.md")
	})
}
