// Package stacks is the scaling plan as typed data, and the configuration of a stack.
//
// [Plan] gives the whole plan: for each [Tier] its capacity, the triggers that lead to it, the actions that build
// it, its monthly cost, its SLO and its [Blueprint], which says what the tier runs, free of any cloud. [Load]
// turns the name and the configuration of a Pulumi stack into one validated [Stack]: a tier of that plan on a
// [Target].
//
// The package holds data and checks and nothing that acts: it imports neither Pulumi nor a cloud, so that a
// program, a command or a test can read the plan at no cost. docs/scaling-plan.md and docs/configuration.md are
// written from it by `go run ./stacks/docs`.
package stacks
