package awstest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// filler fills in the templates of a new thing.
func (c *Cloud) filler(thing *Thing, region string) func(string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", thing.Type, thing.Since))
	digits := hex.EncodeToString(sum[:])[:17]
	return func(template string) string {
		pairs := []string{
			"{hex}", digits, "{HEX}", strings.ToUpper(digits), "{region}", region, "{account}", Account, "{id}", thing.ID,
			"{base64}", base64.StdEncoding.EncodeToString(sum[:]), "{number}", strconv.Itoa(thing.Since % 250),
		}
		for name, value := range thing.Inputs {
			if text := bare(value); text.IsString() {
				pairs = append(pairs, "{"+string(name)+"}", text.StringValue())
			}
		}
		return strings.NewReplacer(pairs...).Replace(template)
	}
}

// outputs gives a thing's inputs and what the cloud adds. Without fill, what it adds stays away.
func outputs(known Type, thing *Thing, fill func(string) string, tags map[string]string) resource.PropertyMap {
	all := thing.Inputs.Copy()
	if fill != nil {
		for _, name := range slices.Sorted(maps.Keys(known.Outputs)) {
			all[resource.PropertyKey(name)] = resource.NewProperty(fill(known.Outputs[name]))
		}
	}
	if _, tagged := known.Inputs["tags"]; tagged {
		all["tagsAll"] = resource.NewProperty(everyTag(tags, all["tags"]))
	}
	if thing.Type == "aws:acm/certificate:Certificate" {
		all["domainValidationOptions"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty(resource.PropertyMap{
			"domainName":          all["domainName"],
			"resourceRecordName":  resource.NewProperty("_proof." + bare(all["domainName"]).StringValue()),
			"resourceRecordType":  resource.NewProperty("CNAME"),
			"resourceRecordValue": resource.NewProperty("_proof.acm-validations.aws"),
		})})
	}
	for _, name := range known.Secret {
		if value, set := all[resource.PropertyKey(name)]; set && !value.IsSecret() {
			all[resource.PropertyKey(name)] = resource.MakeSecret(value)
		}
	}
	return all
}

// everyTag gives the provider's tags and, over them, the resource's own.
func everyTag(defaults map[string]string, own resource.PropertyValue) resource.PropertyMap {
	all := resource.PropertyMap{}
	for name, value := range defaults {
		all[resource.PropertyKey(name)] = resource.NewProperty(value)
	}
	if own = bare(own); own.IsObject() {
		maps.Copy(all, own.ObjectValue())
	}
	return all
}
