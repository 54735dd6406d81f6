package awsstacks

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

// A plain update takes a newer image for all hosts at once. One that names a host replaces that one alone, and has its disk
// at the new one.
func TestHostsTakeANewImageOneAfterTheOther(t *testing.T) {
	b := newBench(t, stacks.Tier2)
	b.apply()
	b.config["ami"] = newer
	for _, host := range []string{"database-2", "backend-1", "backend-2", "balancer-1", "database-1"} {
		before, attached := b.ids("Instance"), b.ids("VolumeAttachment")
		done, err := b.tryUp(optup.TargetDependents(), optup.Target([]string{
			"urn:pulumi:production::rad-panel::radpanel:aws:Stack$radpanel:aws:Host$aws:ec2/instance:Instance::" + host,
		}))
		require.NoError(t, err)
		for name := range done {
			if strings.HasPrefix(name, "Instance ") {
				assert.Equal(t, "Instance "+host, name)
			}
		}
		kept := slices.DeleteFunc(b.ids("Instance"), func(id string) bool { return !slices.Contains(before, id) })
		assert.Len(t, kept, 4, host)
		moved := slices.DeleteFunc(b.ids("VolumeAttachment"), func(id string) bool { return slices.Contains(attached, id) })
		assert.Equal(t, strings.HasPrefix(host, "database-"), len(moved) == 1, host)
		assert.Len(t, b.cloud.Things("VolumeAttachment"), 2)
	}
	assert.Empty(t, b.up(), "nothing is left to do")
}
