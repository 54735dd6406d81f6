// Package machine renders what goes onto one Linux host, as text: the configurations of PostgreSQL, PgBouncer, Nginx and
// Redis. Every target uses the same text; what differs between targets is an argument.
//
// Each program is a struct of arguments. Its Files gives the text of its files by name, or errors that name the fields
// whose values cannot be written (see FieldError). Nothing here reads or writes anything but its arguments, so the same
// arguments give the same text.
//
// Sizes follow from what the host has (Resources) and from the blueprint. The settings that differ from a program's
// defaults, and why, are told in the text itself, for whoever reads it on the host: see testdata.
package machine
