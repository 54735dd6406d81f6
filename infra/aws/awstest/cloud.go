// Package awstest stands in for AWS in tests: a Pulumi provider over a cloud that is kept in memory. It cannot tell whether
// AWS would do what it is asked, but it refuses what AWS refuses: properties that nobody knows, an address or a disk that
// is in use, a name that is taken, the end of something that something else still needs. So the order in which a program
// makes, moves and replaces things is put to the test by the real engine.
package awstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

const (
	// Account is the number of the only account.
	Account = "123456789012"
	// Region is where a provider is that was not told.
	Region = "us-east-1"
)

// Cloud is all that the stand-in has. It is safe for use by several goroutines.
type Cloud struct {
	types map[string]Type

	mu     sync.Mutex
	made   int
	things []*Thing
	// images are the names of the images that there are.
	images []string
	// zones are the letters of the availability zones, in the order in which they are listed.
	zones []string
	// offers are the letters of the zones that have a type of instance, where not all do.
	offers map[string][]string
}

// Thing is one resource that exists.
type Thing struct {
	Type string
	ID   string
	// Inputs are as they were last written; Outputs are Inputs and what the cloud added.
	Inputs, Outputs resource.PropertyMap
	// Since counts the things that were made before it.
	Since int
}

// New gives an empty cloud, in which there are images of the given names.
func New(images ...string) (*Cloud, error) {
	types, err := Types()
	if err != nil {
		return nil, err
	}
	return &Cloud{types: types, images: images, zones: []string{"a", "b", "c"}, offers: map[string][]string{}}, nil
}

// Things gives what there is of a type, oldest first. The type's last part will do, such as "Volume".
func (c *Cloud) Things(kind string) []Thing {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Thing
	for _, thing := range c.things {
		if thing.Type == kind || strings.HasSuffix(thing.Type, ":"+kind) {
			found = append(found, *thing)
		}
	}
	return found
}

// Lose removes a thing, as if somebody had done so by hand.
func (c *Cloud) Lose(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.things = slices.DeleteFunc(c.things, func(t *Thing) bool { return t.ID == id })
}

// Change changes a property of a thing, as if somebody had done so by hand.
func (c *Cloud) Change(kind, id string, property resource.PropertyKey, value resource.PropertyValue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, thing := range c.things {
		if thing.ID == id && strings.HasSuffix(thing.Type, ":"+kind) {
			thing.Inputs, thing.Outputs = with(thing.Inputs, property, value), with(thing.Outputs, property, value)
		}
	}
}

// Place puts a thing into the cloud that was made before the cloud was.
func (c *Cloud) Place(thing Thing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	thing.Since = c.made
	c.things = append(c.things, &thing)
}

// ListZones has the cloud list its availability zones in another order.
func (c *Cloud) ListZones(letters ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zones = letters
}

// Offer has the cloud offer a type of instance in some of its availability zones alone.
func (c *Cloud) Offer(instanceType string, letters ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offers[instanceType] = letters
}

func with(properties resource.PropertyMap, key resource.PropertyKey, value resource.PropertyValue) resource.PropertyMap {
	changed := properties.Copy()
	changed[key] = value
	return changed
}

// create makes a thing, unless something is in its way.
func (c *Cloud) create(kind tokens.Type, inputs resource.PropertyMap, region string, tags map[string]string) (*Thing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.types[string(kind)]
	if err := c.checkFree(string(kind), known, inputs, ""); err != nil {
		return nil, err
	}
	c.made++
	thing := &Thing{Type: string(kind), Inputs: inputs, Since: c.made}
	fill := c.filler(thing, region)
	thing.ID = fill(known.ID)
	thing.Outputs = outputs(known, thing, fill, tags)
	c.things = append(c.things, thing)
	return thing, nil
}

// checkFree refuses what somebody else has already.
func (c *Cloud) checkFree(kind string, known Type, inputs resource.PropertyMap, self string) error {
	for _, other := range c.things {
		if other.Type != kind || other.ID == self || len(known.Unique) == 0 {
			continue
		}
		taken, set := true, false
		for _, name := range known.Unique {
			mine, theirs := bare(inputs[resource.PropertyKey(name)]), bare(other.Inputs[resource.PropertyKey(name)])
			taken = taken && mine.DeepEquals(theirs)
			set = set || !mine.IsNull()
		}
		if taken && set {
			return fmt.Errorf("%s: its %s is in use by %s", kind, strings.Join(known.Unique, " and "), other.ID)
		}
	}
	if err := c.checkPort(kind, inputs, self); err != nil {
		return err
	}
	return c.checkConnection(kind, inputs)
}

// checkPort refuses a network interface that another instance has.
func (c *Cloud) checkPort(kind string, inputs resource.PropertyMap, self string) error {
	if kind != "aws:ec2/instance:Instance" {
		return nil
	}
	for _, other := range c.things {
		if other.Type == kind && other.ID != self && bare(other.Inputs["networkInterfaces"]).DeepEquals(bare(inputs["networkInterfaces"])) {
			return fmt.Errorf("%s: its network interface is in use by %s", kind, other.ID)
		}
	}
	return nil
}

// update changes a thing.
func (c *Cloud) update(id string, kind tokens.Type, inputs resource.PropertyMap, tags map[string]string) (*Thing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	thing := c.find(string(kind), id)
	if thing == nil {
		return nil, fmt.Errorf("%s %s: there is no such thing", kind, id)
	}
	known := c.types[string(kind)]
	if err := c.checkFree(string(kind), known, inputs, id); err != nil {
		return nil, err
	}
	kept := resource.PropertyMap{}
	for name := range known.Outputs {
		kept[resource.PropertyKey(name)] = thing.Outputs[resource.PropertyKey(name)]
	}
	thing.Inputs, thing.Outputs = inputs, outputs(known, &Thing{Type: thing.Type, ID: id, Inputs: inputs}, nil, tags)
	maps.Copy(thing.Outputs, kept)
	return thing, nil
}

// remove ends a thing, unless another needs it.
func (c *Cloud) remove(id string, kind tokens.Type) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	thing := c.find(string(kind), id)
	if thing == nil {
		return nil // It is gone already.
	}
	for _, other := range c.things {
		watches := strings.HasPrefix(other.Type, "aws:cloudwatch/") // An alarm outlives what it is about.
		if other != thing && !watches && (isUnique(id) || strings.HasPrefix(thing.Type, "aws:cloudfront/")) && mentions(resource.NewProperty(other.Inputs), id) {
			return fmt.Errorf("%s %s: %s %s still depends on it", kind, id, other.Type, other.ID)
		}
	}
	c.things = slices.DeleteFunc(c.things, func(t *Thing) bool { return t == thing })
	return nil
}

// isUnique tells whether an id is the cloud's own, and no name that may appear elsewhere by chance.
func isUnique(id string) bool {
	return slices.ContainsFunc([]string{"vpc-", "subnet-", "sg-", "eni-", "i-", "vol-", "eipalloc-", "rtb-", "igw-", "eigw-", "pcx-"},
		func(prefix string) bool { return strings.HasPrefix(id, prefix) })
}

func mentions(value resource.PropertyValue, text string) bool {
	value = bare(value)
	switch {
	case value.IsString():
		return value.StringValue() == text
	case value.IsArray():
		return slices.ContainsFunc(value.ArrayValue(), func(v resource.PropertyValue) bool { return mentions(v, text) })
	case value.IsObject():
		for _, element := range value.ObjectValue() {
			if mentions(element, text) {
				return true
			}
		}
	}
	return false
}

func (c *Cloud) find(kind, id string) *Thing {
	i := slices.IndexFunc(c.things, func(t *Thing) bool { return t.Type == kind && t.ID == id })
	if i < 0 {
		return nil
	}
	return c.things[i]
}
