package panelclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// User is an account as the API shows it.
type User struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Role  string `json:"role"`
}

// Panel is a panel as the API shows it.
type Panel struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Version int64    `json:"version"`
}

// Record is a record as the API shows it.
type Record struct {
	ID      string         `json:"id"`
	Title   string         `json:"title"`
	Data    map[string]any `json:"data"`
	Version int64          `json:"version"`
}

// File is an uploaded file's description as the API shows it.
type File struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256"`
}

// Job is a background job as the API shows it.
type Job struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Error string `json:"error"`
}

// Page is one page of a list.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// SignUp makes an account and keeps its session.
func (c *Client) SignUp(ctx context.Context, email, password string) (User, error) {
	var answer struct{ User User }
	err := c.Do(ctx, http.MethodPost, "/users", map[string]string{"email": email, "password": password}, &answer)
	return answer.User, err
}

// CreatePanel makes a panel.
func (c *Client) CreatePanel(ctx context.Context, name string, options ...Option) (Panel, error) {
	var panel Panel
	err := c.Do(ctx, http.MethodPost, "/panels", map[string]any{"name": name}, &panel, options...)
	return panel, err
}

// CreateRecord makes a record in a panel.
func (c *Client) CreateRecord(ctx context.Context, panel, title string, data map[string]any, options ...Option) (Record, error) {
	var record Record
	body := map[string]any{"title": title, "data": data}
	err := c.Do(ctx, http.MethodPost, "/panels/"+panel+"/records", body, &record, options...)
	return record, err
}

// EachRecord walks all records of a panel, oldest first.
func (c *Client) EachRecord(ctx context.Context, panel string, visit func(Record) error) error {
	query := url.Values{"limit": {"200"}}
	for {
		var page Page[Record]
		if err := c.Do(ctx, http.MethodGet, "/panels/"+panel+"/records?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		for _, record := range page.Items {
			if err := visit(record); err != nil {
				return err
			}
		}
		if page.NextCursor == "" {
			return nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// Upload stores a file in a panel.
func (c *Client) Upload(ctx context.Context, panel, name string, content io.Reader) (File, error) {
	var file File
	path := "/panels/" + panel + "/files?name=" + url.QueryEscape(name)
	err := c.Do(ctx, http.MethodPost, path, content, &file, Header("Content-Type", "application/octet-stream"))
	return file, err
}

// Import adds a record for each row of a CSV file to a panel, and waits for the job.
func (c *Client) Import(ctx context.Context, panel string, csv io.Reader) error {
	var job Job
	if err := c.Do(ctx, http.MethodPost, "/panels/"+panel+"/imports", csv, &job, Header("Content-Type", "text/csv")); err != nil {
		return err
	}
	return c.AwaitJob(ctx, job.ID)
}

// Export asks for a panel as CSV, waits for the job and returns the CSV.
func (c *Client) Export(ctx context.Context, panel string) ([]byte, error) {
	var job Job
	if err := c.Do(ctx, http.MethodPost, "/panels/"+panel+"/exports", nil, &job); err != nil {
		return nil, err
	}
	if err := c.AwaitJob(ctx, job.ID); err != nil {
		return nil, err
	}
	var content []byte
	err := c.Do(ctx, http.MethodGet, "/jobs/"+job.ID+"/result", nil, &content)
	return content, err
}

// AwaitJob polls a job until it has succeeded. A failed job and a context that ends are errors.
func (c *Client) AwaitJob(ctx context.Context, id string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var job Job
		if err := c.Do(ctx, http.MethodGet, "/jobs/"+id, nil, &job); err != nil && ctx.Err() == nil && StatusOf(err) < 500 {
			return err
		}
		switch job.State {
		case "succeeded":
			return nil
		case "failed":
			return fmt.Errorf("job %s failed: %s", id, job.Error)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("job %s is %q still: %w", id, job.State, ctx.Err())
		case <-tick.C:
		}
	}
}
