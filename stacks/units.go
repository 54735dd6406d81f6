package stacks

import (
	"math"
	"strconv"
	"time"
)

// Bytes is an amount of memory or storage. The plan writes "GB" for what hosts and disks are sold in; it is read
// as GiB throughout.
type Bytes int64

// Binary multiples of a byte.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	TiB Bytes = 1 << 40
)

// String gives the amount in the largest unit that keeps it whole, such as "20 GiB" or "1,280 MiB".
func (b Bytes) String() string {
	for _, u := range []struct {
		size Bytes
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if b != 0 && b%u.size == 0 {
			return grouped(int64(b/u.size)) + " " + u.name
		}
	}
	return grouped(int64(b)) + " B"
}

// USD is an amount of money in whole US dollars, which is how precise the plan is.
type USD int64

// String gives the amount as "$1,200".
func (d USD) String() string { return "$" + grouped(int64(d)) }

// Percent is a share of 100: 99.95 is 99.95 %.
type Percent float64

// String gives the share as "99.95 %".
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + " %" }

// Unit is the unit of a measured figure. Figures are kept in base units, as Prometheus does.
type Unit string

// The units of the plan's metrics.
const (
	Seconds     Unit = "seconds"
	OfHundred   Unit = "percent" // 0 to 100 and, for a budget, above
	Count       Unit = "count"
	PerSecond   Unit = "per_second"
	BytesStored Unit = "bytes"
	Ratio       Unit = "ratio" // 0 to 1
)

// Format gives a figure of this unit as people read it: 0.5 seconds is "500 ms".
func (u Unit) Format(figure float64) string {
	switch u {
	case Seconds:
		return formatDuration(time.Duration(math.Round(figure * float64(time.Second))))
	case OfHundred:
		return Percent(figure).String()
	case PerSecond:
		return strconv.FormatFloat(figure, 'f', -1, 64) + "/s"
	case BytesStored:
		return Bytes(math.Round(figure)).String()
	default:
		return strconv.FormatFloat(figure, 'f', -1, 64)
	}
}

// formatDuration writes a duration for people, in the one unit that suits it: "500 ms", "1.5 s", "15 min", "7 d".
func formatDuration(d time.Duration) string {
	number := func(unit time.Duration) string {
		return strconv.FormatFloat(float64(d)/float64(unit), 'f', -1, 64)
	}
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return number(time.Millisecond) + " ms"
	case d < time.Minute:
		return number(time.Second) + " s"
	case d < time.Hour:
		return number(time.Minute) + " min"
	case d < day || d%day != 0:
		return number(time.Hour) + " h"
	default:
		return number(day) + " d"
	}
}

// grouped writes a whole number with a comma between thousands.
func grouped(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
