package shiptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

func (c *CloudWatch) serveLogs(action string, body []byte) (code string, answer any, err error) {
	const invalid = "InvalidParameterException"
	var input struct {
		LogGroupName, LogStreamName string
		LogEvents                   []struct {
			Timestamp int64
			Message   string
		}
	}
	if err := json.Unmarshal(body, &input); err != nil || !utf8.Valid(body) {
		return "SerializationException", nil, errors.Join(err, errors.New("expected JSON"))
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !slices.Contains(c.Groups, input.LogGroupName) {
		return "ResourceNotFoundException", nil, fmt.Errorf("the log group %q does not exist", input.LogGroupName)
	}
	key := input.LogGroupName + "\x00" + input.LogStreamName
	taken, there := c.streams[key]
	switch action {
	case "CreateLogStream":
		if there {
			return "ResourceAlreadyExistsException", nil, errors.New("the log stream exists")
		}
		if c.streams == nil {
			c.streams = map[string][]Event{}
		}
		c.streams[key] = []Event{}
		return "", map[string]any{}, nil
	case "PutLogEvents":
	default:
		return "UnknownOperationException", nil, fmt.Errorf("action %q", action)
	}
	if !there {
		return "ResourceNotFoundException", nil, errors.New("the log stream does not exist")
	}
	if n := len(input.LogEvents); n == 0 || n > eventsLimit {
		return invalid, nil, fmt.Errorf("%d events", n)
	}
	now := time.Now()
	size, rejected := 0, map[string]int{}
	var valid []Event
	for i, event := range input.LogEvents {
		at := time.UnixMilli(event.Timestamp)
		if size += len(event.Message) + overhead; size > batchLimit || len(event.Message) > eventLimit || event.Message == "" {
			return invalid, nil, fmt.Errorf("event %d has %d bytes, with those before it %d", i, len(event.Message), size)
		}
		if i > 0 && event.Timestamp < input.LogEvents[i-1].Timestamp {
			return invalid, nil, errors.New("log events in a single PutLogEvents request must be in chronological order")
		}
		switch {
		case at.Before(now.Add(-oldest)):
			rejected["tooOldLogEventEndIndex"] = i + 1
			continue
		case at.After(now.Add(ahead)):
			if _, set := rejected["tooNewLogEventStartIndex"]; !set {
				rejected["tooNewLogEventStartIndex"] = i
			}
			continue
		}
		if len(valid) > 0 && at.Sub(valid[0].At) > spanLimit {
			return invalid, nil, errors.New("the batch of log events in a single PutLogEvents request cannot span more than 24 hours")
		}
		valid = append(valid, Event{At: at, Message: event.Message})
	}
	c.streams[key] = append(taken, valid...)
	result := map[string]any{"nextSequenceToken": "ignored"}
	if len(rejected) > 0 {
		result["rejectedLogEventsInfo"] = rejected
	}
	return "", result, nil
}
