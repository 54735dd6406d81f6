package awstest

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// checkConnection refuses what needs two networks to be connected when they are not, or cannot be: networks with the same
// addresses, and rules that name a group of a network that there is no connection to.
func (c *Cloud) checkConnection(kind string, inputs resource.PropertyMap) error {
	text := func(name resource.PropertyKey) string {
		if value := bare(inputs[name]); value.IsString() {
			return value.StringValue()
		}
		return ""
	}
	switch kind {
	case "aws:ec2/vpcPeeringConnection:VpcPeeringConnection":
		own, theirs := c.prefixOf(text("vpcId")), c.prefixOf(text("peerVpcId"))
		if !own.IsValid() || !theirs.IsValid() {
			return fmt.Errorf("%s: one of the networks %s and %s does not exist", kind, text("vpcId"), text("peerVpcId"))
		}
		if own.Overlaps(theirs) {
			return fmt.Errorf("%s: the networks %s and %s overlap", kind, own, theirs)
		}
	case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":
		named := text("referencedSecurityGroupId")
		if named == "" {
			return nil
		}
		own, theirs := c.networkOf(text("securityGroupId")), c.networkOf(named)
		if own != theirs && !c.connected(own, theirs) {
			return fmt.Errorf("%s: group %s is of another network, to which there is no connection", kind, named)
		}
	}
	return nil
}

// networkOf gives the network that a group is of.
func (c *Cloud) networkOf(group string) string {
	if thing := c.find("aws:ec2/securityGroup:SecurityGroup", group); thing != nil {
		return bare(thing.Inputs["vpcId"]).StringValue()
	}
	return ""
}

func (c *Cloud) connected(one, other string) bool {
	for _, thing := range c.things {
		if thing.Type != "aws:ec2/vpcPeeringConnection:VpcPeeringConnection" {
			continue
		}
		from, to := bare(thing.Inputs["vpcId"]).StringValue(), bare(thing.Inputs["peerVpcId"]).StringValue()
		if from == one && to == other || from == other && to == one {
			return true
		}
	}
	return false
}

// prefixOf gives the addresses of a network; the zero value if there is none.
func (c *Cloud) prefixOf(network string) netip.Prefix {
	thing := c.find("aws:ec2/vpc:Vpc", network)
	if thing == nil {
		return netip.Prefix{}
	}
	prefix, err := netip.ParsePrefix(bare(thing.Inputs["cidrBlock"]).StringValue())
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
