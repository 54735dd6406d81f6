package machine

import "github.com/radpanel/radpanel/stacks"

// Resources is what a host has for the software on it. A blueprint asks for some; the machine at hand may have less.
type Resources struct {
	CPU  int
	RAM  stacks.Bytes
	Disk stacks.Bytes // the volume that holds the data
}

// ResourcesOf gives what a blueprint's host has.
func ResourcesOf(host stacks.Host) Resources {
	return Resources{CPU: host.CPU, RAM: host.RAM, Disk: host.Disk.Size}
}

// Within gives what is left of the resources on a machine that has no more than available.
func (r Resources) Within(available Resources) Resources {
	return Resources{
		CPU:  min(r.CPU, available.CPU),
		RAM:  min(r.RAM, available.RAM),
		Disk: min(r.Disk, available.Disk),
	}
}
