// Package local is the embedded target: a stack as real services on this machine, with no cloud account.
//
// [NewStack] is the program's side: components that say what runs, from a tier's blueprint. The resources that they
// register belong to the provider in the folder provider, which starts the services under the supervisor in the folder
// supervisor. The rest of this package looks at a stack's folder without the engine: its status, how to stop it and how
// to remove it.
package local
