package price

import (
	"strconv"
	"strings"

	"github.com/radpanel/radpanel/infra/declared"
)

// priceClaim charges the disk that a claim becomes.
func priceClaim(m *meter, r declared.Resource) { m.claim(r, 1, "spec") }

// priceTemplates charges the disks that the replicas of a stateful set claim.
func priceTemplates(m *meter, r declared.Resource) {
	for i := range r.List("spec", "volumeClaimTemplates") {
		m.claim(r, r.Number(1, "spec", "replicas"), "spec", "volumeClaimTemplates", i, "spec")
	}
}

func (m *meter) claim(r declared.Resource, count float64, spec ...any) {
	size := r.Text(append(spec, "resources", "requests", "storage")...)
	digits, inGiB := strings.CutSuffix(size, "Gi")
	amount, err := strconv.ParseFloat(digits, 64)
	if err != nil || !inGiB {
		m.unpriced("the size of its disk, " + quoted(size) + ", is not in Gi")
		return
	}
	m.disk("disk", count*amount, 0, 0)
}
