// Package price tells what a stack costs on AWS in a month: a dated table of prices (prices.json), what the tier's capacity
// makes of usage, what each resource costs of both, and which instance types give the plan's hardware or keep its budget.
//
// It imports no SDK and asks nobody: the figures are as good as the table's date, which whoever shows them shows too.
// docs/cost.md says how the table is made new from the AWS Price List API.
package price
