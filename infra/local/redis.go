package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// redis is the cache.
type redis struct {
	pulumi.ResourceState

	password pulumi.StringOutput
	ready    *service
}

// newRedis registers the cache, if the tier has one; else it gives nil.
func newRedis(ctx *pulumi.Context, parent *Stack, site site) (*redis, error) {
	if !site.hasCache() {
		return nil, nil //nolint:nilnil // Said above.
	}
	r := &redis{}
	if err := ctx.RegisterComponentResource("radpanel:local:Redis", redisService, r, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", redisService, err)
	}
	var err error
	if r.password, err = newSecret(ctx, r, site, "cache-password", passwordBytes); err != nil {
		return nil, err
	}
	// Only the file of users depends on the password; the other shows in previews.
	server := site.redis("unknown")
	files, err := server.Files()
	if err != nil {
		return nil, err
	}
	delete(files, machine.RedisUsersFile)
	users := r.password.ApplyT(func(password string) (map[string]string, error) {
		files, err := site.redis(config.Secret(password)).Files()
		return map[string]string{machine.RedisUsersFile: files[machine.RedisUsersFile]}, err
	}).(pulumi.StringMapOutput)
	socket := pulumi.String(site.redisSocket())
	r.ready, err = register(ctx, "Service", redisService, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(redisService),
		Account:     pulumi.String(string(supervisor.Cache)),
		Host:        site.hostOf(stacks.PartCache, 1),
		Command:     stringArray(program("redis-server"), filepath.Join(server.ConfigFolder, machine.RedisFile)),
		Files:       pulumi.ToStringMap(files),
		SecretFiles: users,
		Folders:     pulumi.StringMap{runFolder: pulumi.String("0711")},
		StopSignal:  pulumi.String("TERM"),
		StopSeconds: pulumi.Int(10),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.Redis)), Address: socket, Seconds: pulumi.Int(20),
		},
		Secrets: pulumi.StringArray{r.password},
	}, new(service), pulumi.Parent(r), pulumi.DependsOn([]pulumi.Resource{site.host}))
	if err != nil {
		return nil, err
	}
	return r, registerOutputs(ctx, r, pulumi.Map{"socket": socket})
}
