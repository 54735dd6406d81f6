package hostboot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/panelclient"
)

// clusterPatience is how long five hosts may take that boot at the same time on one machine.
const clusterPatience = 20 * time.Minute

// bootTier2 boots the hosts of tier 2, by name, in a network of their own.
func bootTier2(t *testing.T) map[string]*booted {
	t.Helper()
	requireBoot(t)
	stack, err := stacks.Load("tier2", nil)
	require.NoError(t, err)
	prefix := netip.MustParsePrefix("10.0.0.0/16")
	addresses, byRole := map[string]netip.Addr{}, map[stacks.Role][]netip.Addr{}
	for i, asked := range stack.Plan.Blueprint.Hosts {
		for number := range asked.Count {
			address := netip.AddrFrom4([4]byte{10, 0, byte(i + 1), byte(10 + number)})
			addresses[fmt.Sprintf("%s-%d", asked.Role, number+1)] = address
			byRole[asked.Role] = append(byRole[asked.Role], address)
		}
	}
	networks, around := newPrivateNetwork(t, prefix, addresses)
	c, signing := newCloud(t, around), newSigning(t)
	c.publishAgent(signing)
	const parameters = "/radpanel/tier2"
	c.makeSecrets(parameters, stack.Plan.Blueprint)
	c.setParameter(machine.SecretParameter(parameters, machine.DownloadKey(stack.Settings.DownloadKey)), downloadKey(t))
	hosts := map[string]*booted{}
	var release machine.ReleaseObject
	for _, asked := range stack.Plan.Blueprint.Hosts {
		for number := 1; number <= asked.Count; number++ {
			name := fmt.Sprintf("%s-%d", asked.Role, number)
			b := &booted{T: t, cloud: c, signing: signing, host: machine.CloudHost{Name: name, Region: region, Prefix: parameters, Endpoints: endpoints()}}
			if release.Key == "" {
				release = b.release("first", nil)
			}
			b.settings = machine.NewHostSettings(stack, asked.Role, number)
			b.settings.PublicURL, b.settings.Release, b.settings.LogGroup = "https://"+panelName, release, logGroup
			b.settings.BackupBucket, b.settings.FilesBucket, b.settings.DownloadKeyID = backupBucket, filesBucket, "K36X4X2EO997HM"
			b.settings.Network, b.settings.Balancers = prefix, byRole[stacks.RoleBalancer]
			b.settings.Backends, b.settings.Databases = byRole[stacks.RoleBackend], byRole[stacks.RoleDatabase]
			names := name
			if asked.Role == stacks.RoleBalancer {
				b.settings.Names, names = []string{panelName}, panelName+" "+name
				b.settings.AlertTopic = alertTopic
			}
			if asked.Disk.Size > 0 {
				b.settings.DataVolume = fmt.Sprintf("vol-0123456789abcde%02d", number)
			}
			b.configure()
			b.powerOn(networks[name], names)
			hosts[name] = b
		}
	}
	balancer := hosts["balancer-1"]
	balancer.transport = around.transport(map[string]string{panelName + ":443": net443(byRole[stacks.RoleBalancer][0])})
	balancer.transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // Nobody has issued a certificate.
	t.Cleanup(balancer.transport.CloseIdleConnections)
	return hosts
}

// downloadKey is one that signs the addresses of downloads.
func downloadKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(der)
}

func net443(address netip.Addr) string { return netip.AddrPortFrom(address, 443).String() }

// Five hosts that are given their user data and nothing else find each other, and become tier 2.
func TestHostsBecomeTier2(t *testing.T) {
	begun := time.Now()
	hosts := bootTier2(t)
	front, primary, replica := hosts["balancer-1"], hosts["database-1"], hosts["database-2"]
	front.serves(clusterPatience)
	t.Logf("from power on to a panel that serves: %s", time.Since(begun).Round(time.Second))

	user := front.browser()
	_, err := user.SignUp(t.Context(), email, password)
	require.NoError(t, err)
	panel, err := user.CreatePanel(t.Context(), "Orders")
	require.NoError(t, err)
	record, err := user.CreateRecord(t.Context(), panel.ID, "First order", map[string]any{"customer": "Ada"})
	require.NoError(t, err)

	t.Run("each backend sees it", func(t *testing.T) {
		for _, one := range []string{"backend-1", "backend-2"} {
			b := hosts[one].at(t)
			b.awaits(clusterPatience, one, func() error {
				out, err := b.container.try(t.Context(), "curl", "--silent", "--fail", "http://"+b.settings.Backends[b.settings.Number-1].String()+":8080/readyz")
				return errors.Join(err, expect(out, "ready"))
			})
		}
		for stopped, other := range map[string]string{"backend-1": "backend-2", "backend-2": "backend-1"} {
			b := hosts[stopped].at(t)
			b.container.run("systemctl", "stop", "radpanel-converge.timer", "radpanel-panel")
			b.awaits(time.Minute, "the record at "+other, func() error {
				var found panelclient.Record
				return user.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/records/"+record.ID, nil, &found)
			})
			b.container.run("systemctl", "start", "radpanel-converge.timer", "radpanel-panel")
			front.at(t).serves(time.Minute)
			b.awaits(time.Minute, stopped, func() error {
				_, err := b.container.try(t.Context(), "curl", "--silent", "--fail", "http://"+b.settings.Backends[b.settings.Number-1].String()+":8080/readyz")
				return err
			})
		}
	})

	t.Run("the replica follows", func(t *testing.T) { replica.at(t).follows(panel.ID) })

	t.Run("a file is in S3", func(t *testing.T) {
		_, err := user.Upload(t.Context(), panel.ID, "invoice.txt", strings.NewReader("an invoice"))
		require.NoError(t, err)
		found := 0
		for object := range front.cloud.objects.ListObjects(t.Context(), filesBucket, minio.ListObjectsOptions{Recursive: true}) {
			require.NoError(t, object.Err)
			found++
		}
		assert.Positive(t, found)
	})

	t.Run("the host of the primary starts anew", func(t *testing.T) {
		b := primary.at(t)
		_, _ = b.container.try(t.Context(), "systemctl", "poweroff") // The command ends with the container.
		select {
		case <-b.container.ended:
		case <-time.After(3 * time.Minute):
			require.FailNow(t, "the host does not shut down")
		}
		b.container.boot(b.network, b.device, b.settings.DataVolume)
		b.awaits(6*time.Minute, "a write through the balancer", func() error {
			_, err := user.CreateRecord(t.Context(), panel.ID, "After the restart", nil)
			return err
		})
		front.at(t).sees(user, panel.ID, record.ID)
		replica.at(t).follows(panel.ID)
	})

	t.Run("logs and figures arrive", func(t *testing.T) {
		for name, b := range hosts {
			b.at(t).awaits(2*time.Minute, "logs of "+name, func() error {
				if len(b.cloud.watch.Events(logGroup, name)) == 0 {
					return errors.New("none")
				}
				return nil
			})
		}
		tier, err := stacks.Plan().Tier(stacks.Tier2)
		require.NoError(t, err)
		figures := monitoring.Carried(tier)
		for _, figure := range figures {
			front.at(t).awaits(8*time.Minute, figure.Name, func() error { return front.at(t).arrived(figure) })
		}
		assert.Empty(t, front.cloud.watch.Refused())
	})
}

// follows waits until this server has what the panel's newest record is, and streams.
func (b *booted) follows(panel string) {
	b.Helper()
	psql := func(query string) (string, error) {
		return b.container.try(b.Context(), "runuser", "-u", "postgres", "--", "psql", "-h", "/run/radpanel-postgresql", "-d", "radpanel", "-AXtc", query)
	}
	b.awaits(5*time.Minute, "a replica that streams", func() error {
		status, err := psql("SELECT status FROM pg_stat_wal_receiver")
		if err = errors.Join(err, expect(status, "streaming")); err != nil {
			return err
		}
		records, err := psql("SELECT count(*) > 0 FROM records WHERE panel_id = '" + panel + "'")
		return errors.Join(err, expect(records, "t"))
	})
}

// expect tells what is not as it should be.
func expect(got, wanted string) error {
	if got != wanted {
		return fmt.Errorf("%q: expected %q", got, wanted)
	}
	return nil
}
