// Package supervisor runs the processes of one stack on this machine, under runit, with nothing to install and
// nothing outside the stack's folder.
//
// # How it holds together
//
// runsvdir starts one runsv for each service, runsv starts the service and its logger, and each of them restarts
// what it started. Three things are added so that the death of any one process, by kill -9 too, is repaired and
// never leaves a second copy behind:
//
//   - The guard, itself a service, waits for the lock that runsvdir holds. When runsvdir dies, the guard gets the
//     lock and passes it on to a new runsvdir.
//   - A loop between runsvdir and runsv (scripts/loop) restarts a killed runsv at once, and lets a new one wait while
//     an orphaned one still watches its service.
//   - A service is told to stop when its runsv dies (setpriv --pdeathsig), and whatever a dead parent leaves behind,
//     such as the workers of a killed nginx, is ended before the next start (scripts/sweep).
//
// Locks are what ties this together. Every process of a service inherits the descriptor of the service's lock, from
// runsv to the last worker, whatever it does with its title, session or user. So the lock tells whether a copy runs,
// and /proc tells who: the processes that have a lock of the stack open for writing are the stack's, and no others.
//
// # What lies where
//
//	accounts.json            the unprivileged user ids of this stack
//	supervisor/              scripts and locks
//	services/<service>/      what runsv reads, and a record of starts and restarts
//	log/<service>/current    output of the service, rotated
//	<service>/conf           link to the configuration that is in force, conf-<digest>
//	<service>/...            what the service itself keeps
package supervisor
