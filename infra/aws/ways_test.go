package aws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/host"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// opening is what a rule of the firewall lets through between two groups.
type opening struct {
	from, to string
	port     float64
}

// openings gives those that rules of a kind, "Egress" or "Ingress", make.
func openings(declared []awstest.Declared, kind string) []opening {
	var all []opening
	for _, r := range declared {
		other, named := at(r, "referencedSecurityGroupId").(string)
		if !named || !strings.HasSuffix(r.Type, ":SecurityGroup"+kind+"Rule") {
			continue
		}
		made := opening{at(r, "securityGroupId").(string), other, at(r, "fromPort").(float64)}
		if kind == "Ingress" {
			made.from, made.to = made.to, made.from
		}
		all = append(all, made)
	}
	return all
}

// ids gives what a list names.
func ids(r awstest.Declared, property string) []string {
	var all []string
	if list := plain(r.Inputs[resource.PropertyKey(property)]); list.IsArray() {
		for _, value := range list.ArrayValue() {
			all = append(all, plain(value).StringValue())
		}
	}
	return all
}

// Endpoints with private names take the place of the services they are for in the whole network: a host that they do not let
// in reaches these services by no way at all, even if it reaches the internet.
func TestEveryHostReachesEveryEndpoint(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		out, in := openings(declared, "Egress"), openings(declared, "Ingress")
		hosts, endpoints := 0, 0
		for _, host := range declared {
			if !strings.HasSuffix(host.Type, ":NetworkInterface") {
				continue
			}
			hosts++
			for _, endpoint := range declared {
				if !strings.HasSuffix(endpoint.Type, ":VpcEndpoint") || at(endpoint, "privateDnsEnabled") != true {
					continue
				}
				endpoints++
				groups := ids(endpoint, "securityGroupIds")
				require.Len(t, groups, 1, endpoint.Name)
				way := func(from string) opening { return opening{from, groups[0], 443} }
				own := ids(host, "securityGroups")
				assert.True(t, slices.ContainsFunc(own, func(group string) bool {
					return slices.Contains(out, way(group)) && slices.Contains(in, way(group))
				}), "host %s does not reach the endpoint %s", host.Name, endpoint.Name)
			}
		}
		want := 0
		for _, host := range stack.Plan.Blueprint.Hosts {
			want += host.Count
		}
		assert.Equal(t, want, hosts)
		if want > 1 {
			assert.Equal(t, want*4, endpoints, "Parameter Store, Session Manager, logs and figures")
		}
	})
}

var (
	// places are where a text has the address of a server, as most programs write it and as PostgreSQL's do.
	places   = regexp.MustCompile(`\b(\d+\.\d+\.\d+\.\d+):(\d+)\b`)
	pgPlaces = regexp.MustCompile(`\bhost=(\d+\.\d+\.\d+\.\d+)[& ]port=(\d+)\b`)
)

// asks gives the servers of other hosts that a host asks: those in what it is given, and those that it asks itself.
func asks(t *testing.T, settings machine.HostSettings) []netip.AddrPort {
	t.Helper()
	names, err := settings.Secrets()
	require.NoError(t, err)
	secrets := map[string]config.Secret{}
	for _, name := range names {
		secrets[name] = config.Secret(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	}
	if key := machine.DownloadKey(settings.DownloadKey); secrets[key] != "" {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		der, err := x509.MarshalPKCS8PrivateKey(made)
		require.NoError(t, err)
		secrets[key] = config.Secret(base64.StdEncoding.EncodeToString(der))
	}
	_, asked, err := settings.Blueprint()
	require.NoError(t, err)
	site, err := host.NewSite(machine.CloudHost{Name: "host", Region: "us-east-1", Prefix: "/radpanel"}, settings, secrets, machine.ResourcesOf(asked),
		"/release", host.Certificate{Chain: "a certificate\n", Key: "a key\n"})
	require.NoError(t, err)
	files, err := site.Units()
	require.NoError(t, err)
	services, err := site.Services()
	require.NoError(t, err)
	for _, service := range services {
		files = append(files, service.Files...)
	}
	tasks, err := site.Tasks()
	require.NoError(t, err)
	for _, task := range tasks {
		files = append(files, task.Files...)
	}
	all := site.Before()
	for _, file := range files {
		for _, found := range append(places.FindAllStringSubmatch(file.Text, -1), pgPlaces.FindAllStringSubmatch(file.Text, -1)...) {
			place, err := netip.ParseAddrPort(found[1] + ":" + found[2])
			require.NoError(t, err, "%s: %s", file.Path, found[0])
			all = append(all, place)
		}
	}
	return all
}

// The firewall lets hosts ask each other what they do ask, and nothing else.
func TestHostsReachWhatTheyAskOfEachOther(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		groups, names := map[string]string{}, map[string]string{} // By address, by group.
		for _, r := range declared {
			if strings.HasSuffix(r.Type, ":NetworkInterface") {
				own := ids(r, "securityGroups")
				require.Len(t, own, 1, r.Name)
				groups[ids(r, "privateIps")[0]] = own[0]
				names[own[0]] = r.Name[:strings.LastIndex(r.Name, "-")]
			}
		}
		needed, hosts := map[opening]bool{}, 0
		for _, r := range declared {
			name, _ := at(r, "name").(string)
			if !strings.HasSuffix(r.Type, "ssm/parameter:Parameter") || !strings.Contains(name, "/hosts/") {
				continue
			}
			hosts++
			settings, err := machine.ReadHostSettings(at(r, "insecureValue").(string))
			require.NoError(t, err)
			self := ids(one(t, declared, "NetworkInterface", r.Name), "privateIps")[0]
			for _, server := range asks(t, settings) {
				if to := groups[server.Addr().String()]; to != "" && server.Addr().String() != self {
					needed[opening{names[groups[self]], names[to], float64(server.Port())}] = true
				}
			}
		}
		require.Equal(t, len(groups), hosts)
		if len(stack.Plan.Blueprint.Hosts) > 1 {
			assert.True(t, needed[opening{"backend", "backend", 8080}], "an instance waits for the one before it")
		}
		for _, kind := range []string{"Egress", "Ingress"} {
			let := map[opening]bool{}
			for _, way := range openings(declared, kind) {
				if names[way.from] != "" && names[way.to] != "" {
					let[opening{names[way.from], names[way.to], way.port}] = true
				}
			}
			assert.Equal(t, needed, let, kind)
		}
	})
}

// What a host is told of alerts goes to SNS, which has no endpoint: it needs an address in the internet.
func TestTheHostThatTellsOfAlertsReachesTheInternet(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, stack stacks.Stack, declared []awstest.Declared) {
		host, found := stack.Plan.Blueprint.HostOf(stacks.PartWeb)
		require.True(t, found)
		for _, r := range declared {
			assert.False(t, strings.HasSuffix(r.Type, ":VpcEndpoint") && r.Name == "sns")
		}
		assert.Equal(t, "0.0.0.0/0", at(one(t, declared, "SecurityGroupEgressRule", string(host.Role)+"-out-https"), "cidrIpv4"))
		one(t, declared, "EipAssociation", string(host.Role)+"-1")
	})
}
