package stacks

import "slices"

// connectionsPerCPU is the plan's own ratio at the MVP: 20 connections on a database host of 2 CPU.
const connectionsPerCPU = 10

// derive fills in the figures that the plan does not state for a tier and lists each in Derived. A figure that the
// tier states is left as it is. All rules are here, and each is taken from figures that the plan does state, at
// the first tier:
//
//   - a tier carries as many concurrent users as its SLO is held at, as the first tier does (100 and 100);
//   - requests and storage grow with the users: 50 requests/s and 20 GB for 100 users;
//   - PostgreSQL takes 10 connections for each CPU of its host: 20 for 2 CPU.
func (t *TierPlan) derive(first TierPlan) {
	users, firstUsers := t.Users.Target, first.Users.Target
	fill(t, &t.Capacity.ConcurrentUsers, users, "Capacity.ConcurrentUsers",
		"the users at which the tier's SLO is held: at the MVP the plan gives 100 for both")
	fill(t, &t.Capacity.RequestsPerSecond, first.Capacity.RequestsPerSecond*users/firstUsers, "Capacity.RequestsPerSecond",
		"grows with the users: at the MVP the plan gives 50 requests/s for 100 users")
	fill(t, &t.Capacity.Storage, first.Capacity.Storage*Bytes(users)/Bytes(firstUsers), "Capacity.Storage",
		"grows with the users: at the MVP the plan gives 20 GB for 100 users")

	host, _ := t.Blueprint.HostOf(PartDatabase)
	database := &t.Blueprint.Database
	fill(t, &database.MaxConnections, connectionsPerCPU*host.CPU, "Blueprint.Database.MaxConnections",
		"10 for each CPU of the database's host: at the MVP the plan gives 20 connections on 2 CPU")
	fill(t, &t.Capacity.DatabaseConnections, database.MaxConnections*database.Servers()*t.Blueprint.Regions,
		"Capacity.DatabaseConnections",
		"the limit of one PostgreSQL server, times the servers of all shards, replicas and regions")
}

// fill sets a figure that is not set and notes that the plan did not state it.
func fill[T comparable](t *TierPlan, figure *T, value T, field Field, rule string) {
	var unset T
	if *figure != unset {
		return
	}
	*figure = value
	t.Derived = append(slices.Clone(t.Derived), Derivation{Field: field, Rule: rule})
}
