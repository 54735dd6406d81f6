package shiptest

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

func failCBOR(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.WriteHeader(status)
	_, _ = w.Write(cbor.Encode(cbor.Map{"__type": cbor.String(code), "message": cbor.String(text)}))
}

func (c *CloudWatch) serveFigures(action string, body []byte) (code string, answer any, err error) {
	const invalid = "InvalidParameterValueException"
	if action != "PutMetricData" {
		return "UnknownOperationException", nil, fmt.Errorf("action %q", action)
	}
	decoded, err := cbor.Decode(body)
	if err != nil {
		return "SerializationException", nil, err
	}
	input, _ := decoded.(cbor.Map)
	list, _ := input["MetricData"].(cbor.List)
	namespace, _ := input["Namespace"].(cbor.String)
	if namespace == "" || len(list) == 0 || len(list) > dataLimit {
		return invalid, nil, fmt.Errorf("namespace %q, %d figures", namespace, len(list))
	}
	var data []Datum
	for _, value := range list {
		datum, err := datumOf(string(namespace), value)
		if err != nil {
			return invalid, nil, err
		}
		data = append(data, datum)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.data = append(c.data, data...)
	return "", nil, nil
}

func datumOf(namespace string, value cbor.Value) (Datum, error) {
	fields, _ := value.(cbor.Map)
	name, _ := fields["MetricName"].(cbor.String)
	number, err := cbor.AsFloat64(fields["Value"])
	if err != nil || name == "" || math.IsNaN(number) || math.IsInf(number, 0) {
		return Datum{}, fmt.Errorf("figure %q: value %v: %w", name, fields["Value"], err)
	}
	at, err := cbor.AsTime(fields["Timestamp"])
	if err != nil {
		return Datum{}, fmt.Errorf("figure %q: %w", name, err)
	}
	if now := time.Now(); at.Before(now.Add(-oldest)) || at.After(now.Add(ahead)) {
		return Datum{}, fmt.Errorf("figure %q: time %s", name, at)
	}
	datum := Datum{Namespace: namespace, Name: string(name), Dimensions: map[string]string{}, At: at, Value: number}
	dimensions, _ := fields["Dimensions"].(cbor.List)
	for _, d := range dimensions {
		pair, _ := d.(cbor.Map)
		key, _ := pair["Name"].(cbor.String)
		dimension, _ := pair["Value"].(cbor.String)
		if key == "" || dimension == "" {
			return Datum{}, fmt.Errorf("figure %q: dimension %v", name, pair)
		}
		datum.Dimensions[string(key)] = string(dimension)
	}
	return datum, nil
}
