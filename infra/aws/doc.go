// Package aws is the AWS target: a tier as hosts of EC2, with what they need around them.
//
// [NewStack] registers components, each of which owns one part: the network, the firewall, the secrets, the buckets, the
// release, the hosts with their disks, the address, the CDN, the alarms. What goes onto a host is text that [infra/machine]
// renders; this package only brings it there.
//
// What holds data is protected, and kept even if it leaves the program: the disks, the buckets, the secrets. A change of
// what runs on a host never replaces it: a host fetches its configuration and the service's release, both named by
// parameters that it watches.
package aws
