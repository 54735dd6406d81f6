package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/infra/declared"
)

// checkIngress finds ports other than those of the web that are open to everybody.
func checkIngress(r declared.Resource) []Finding {
	switch r.Type {
	case "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":
		var findings []Finding
		for i := range r.List("ingress") {
			findings = append(findings, checkOpening(r, declared.At(r.Inputs, "ingress", i), "cidrBlocks", "ipv6CidrBlocks", "protocol")...)
		}
		return findings
	case "aws:ec2/securityGroupRule:SecurityGroupRule":
		if r.Text("type") == "ingress" {
			return checkOpening(r, r.Inputs, "cidrBlocks", "ipv6CidrBlocks", "protocol")
		}
	case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
		return checkOpening(r, r.Inputs, "cidrIpv4", "cidrIpv6", "ipProtocol")
	case "aws:ec2/managedPrefixList:ManagedPrefixList":
		for i := range r.List("entries") {
			if cidr := r.Text("entries", i, "cidr"); everybodyIn(cidr) {
				return wideList(r, cidr)
			}
		}
	case "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry":
		if cidr := r.Text("cidr"); everybodyIn(cidr) {
			return wideList(r, cidr)
		}
	}
	return nil
}

// wideList is about a list of addresses with everybody in it. Which ports are opened to it, whoever opens them says by an id,
// which is not known before the list is there: so it is no list at all, and 80 and 443 are opened to everybody by name.
func wideList(r declared.Resource, cidr string) []Finding {
	return broken(Ingress, r, fmt.Sprintf("its list has everybody (%s): a port that is opened to it is open to all", cidr),
		"list the addresses that are meant; for 80 and 443, name "+cidr+" in the rule itself")
}

// checkOpening looks at one opening: from where (by the properties that name addresses) to which ports.
func checkOpening(r declared.Resource, opening any, v4, v6, protocol string) []Finding {
	if !everybody(declared.At(opening, v4)) && !everybody(declared.At(opening, v6)) {
		return nil
	}
	from, fromKnown := port(declared.At(opening, "fromPort"))
	to, toKnown := port(declared.At(opening, "toPort"))
	all := declared.At(opening, protocol) == "-1" || declared.At(opening, protocol) == "all"
	if !all && fromKnown && toKnown && from == to && (from == 80 || from == 443) {
		return nil
	}
	what := "all ports are"
	switch {
	case all || !fromKnown || !toKnown:
	case from == to:
		what = fmt.Sprintf("port %d is", from)
	default:
		what = fmt.Sprintf("ports %d to %d are", from, to)
	}
	return broken(Ingress, r, what+" open to everybody", "open 80 and 443 alone; hosts are administered by Session Manager, which needs no port")
}

// everybody tells whether addresses, one or a list, are all there are, or so many that it comes to the same: two halves of the
// internet are the internet.
func everybody(addresses any) bool {
	if list, several := addresses.([]any); several {
		return slices.ContainsFunc(list, everybodyIn)
	}
	return everybodyIn(addresses)
}

// The shortest prefixes that are somebody's: no more than a /8 was ever given to one (https://www.iana.org/assignments/ipv4-address-space),
// and no more than a /16 of IPv6.
const (
	shortestIPv4 = 8
	shortestIPv6 = 16
)

func everybodyIn(address any) bool {
	text, _ := address.(string)
	prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
	if err != nil {
		return false
	}
	if prefix.Addr().Is4() {
		return prefix.Bits() < shortestIPv4
	}
	return prefix.Bits() < shortestIPv6
}

func port(value any) (int, bool) {
	switch n := value.(type) {
	case float64:
		return int(n), true
	case int:
		return n, true
	default:
		return 0, false
	}
}
