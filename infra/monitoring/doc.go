// Package monitoring renders the plan's triggers and SLOs into what watches them: Prometheus rules, Alertmanager's routes,
// CloudWatch alarms. All of it is text or typed values; nothing here talks to a server.
package monitoring
