package awstest

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// Image gives the id of an image in a region.
func Image(region, name string) string {
	return fmt.Sprintf("ami-%x", sha256.Sum256([]byte(region+" "+name)))[:len("ami-")+17]
}

// look answers the functions that stacks ask.
func (c *Cloud) look(function tokens.ModuleMember, arguments resource.PropertyMap, region string) (resource.PropertyMap, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch function {
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		var names []resource.PropertyValue
		for _, letter := range c.zones {
			names = append(names, resource.NewProperty(region+letter))
		}
		return resource.PropertyMap{"id": resource.NewProperty(region), "names": resource.NewProperty(names)}, nil
	case "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings":
		if by := bare(arguments["locationType"]); !by.IsString() || by.StringValue() != "availability-zone" {
			return nil, fmt.Errorf("offerings by %v: the stand-in knows those of zones alone", by)
		}
		var types, locations []resource.PropertyValue
		for _, filter := range bare(arguments["filters"]).ArrayValue() {
			if name := bare(filter).ObjectValue()["name"].StringValue(); name != "instance-type" {
				return nil, fmt.Errorf("offerings with the filter %s: the stand-in knows instance-type alone", name)
			}
			for _, kind := range bare(filter).ObjectValue()["values"].ArrayValue() {
				letters, rare := c.offers[kind.StringValue()]
				if !rare {
					letters = c.zones
				}
				for _, letter := range letters {
					types, locations = append(types, kind), append(locations, resource.NewProperty(region+letter))
				}
			}
		}
		return resource.PropertyMap{
			"id": resource.NewProperty(region), "instanceTypes": resource.NewProperty(types), "locations": resource.NewProperty(locations),
			"locationTypes": resource.NewProperty([]resource.PropertyValue{}),
		}, nil
	case "aws:ec2/getAmi:getAmi":
		// EC2 deprecates an image two years after it was made, and then shows it to those alone who ask for such. The image
		// of these tests is as old.
		if asked := bare(arguments["includeDeprecated"]); !asked.IsBool() || !asked.BoolValue() {
			return nil, fmt.Errorf("your query returned no results: %v, without those that are deprecated", arguments["filters"])
		}
		for _, filter := range bare(arguments["filters"]).ArrayValue() {
			values := bare(filter).ObjectValue()["values"].ArrayValue()
			if name := bare(filter).ObjectValue()["name"].StringValue(); name != "name" || len(values) != 1 {
				continue
			}
			if wanted := values[0].StringValue(); slices.Contains(c.images, wanted) {
				return resource.PropertyMap{"id": resource.NewProperty(Image(region, wanted)), "name": values[0]}, nil
			}
		}
		return nil, fmt.Errorf("your query returned no results: %v", arguments["filters"])
	case "aws:ec2/getManagedPrefixList:getManagedPrefixList":
		return resource.PropertyMap{"id": resource.NewProperty("pl-3b927c52"), "name": arguments["name"]}, nil
	case "aws:ssm/getParameter:getParameter":
		name := bare(arguments["name"])
		for _, thing := range c.things {
			if thing.Type == "aws:ssm/parameter:Parameter" && bare(thing.Inputs["name"]).DeepEquals(name) {
				value := thing.Inputs["value"]
				if value.IsNull() {
					value = thing.Inputs["insecureValue"]
				}
				return resource.PropertyMap{"id": name, "name": name, "value": bare(value), "arn": thing.Outputs["arn"]}, nil
			}
		}
		return nil, fmt.Errorf("reading SSM Parameter (%v): couldn't find resource", name)
	default:
		return nil, fmt.Errorf("the stand-in knows no function %s: is it spelt right? If so, add it to look.go", function)
	}
}
