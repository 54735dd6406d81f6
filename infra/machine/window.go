package machine

import (
	"encoding/json"
	"fmt"
	"net/netip"
)

// Window is what the hosts of a stack are told while the panel is promoted between it and another stack. Its JSON is in the
// parameter of WindowParameter for as long as the two networks are connected; none of it is secret. Without the parameter,
// hosts let nobody of another stack in.
type Window struct {
	// Stack is whose hosts are told, Other the other stack.
	Stack string `json:"stack"`
	Other string `json:"other"`
	// Leaves tells that the panel goes from Stack to Other, and not the other way.
	Leaves bool `json:"leaves,omitempty"`
	// PublicURL is the panel's address, whichever stack it is at: that of the stack that it comes from.
	PublicURL string `json:"public_url"`
	// Database and Entrance are this stack's hosts with the primary and with the web server that browsers meet, OtherDatabase
	// and OtherEntrance those of the other stack, by their private addresses.
	Database      netip.Addr `json:"database"`
	Entrance      netip.Addr `json:"entrance"`
	OtherDatabase netip.Addr `json:"other_database"`
	OtherEntrance netip.Addr `json:"other_entrance"`
}

// PromotionPassword is the secret by which the servers of two stacks follow each other. It is there while Window is. From
// it, both derive the authority by which they know each other's certificates.
const PromotionPassword = "promotion-password"

// The ports of a web server that the other stack of a promotion reaches, and nobody else.
const (
	// InsidePort is where the front door of the stack that the panel comes from passes requests on to.
	InsidePort = 8081
	// PeerFilesPort is where instances of the stack that the panel goes to get files.
	PeerFilesPort = 8082
)

// PeerFilesPath begins the paths at which the service serves files to the instances of another stack.
const PeerFilesPath = "/internal/files/"

// InheritedSecrets are those that a stack has from the one that is promoted to it: what encrypts the rows, and the passwords
// by which the services of both reach either database.
func InheritedSecrets() []string {
	return []string{EncryptionKey, OwnerPassword, ApplicationPassword}
}

// WindowParameter names the parameter that holds the Window of a stack's hosts, below the folder of its parameters.
func WindowParameter(prefix string) string { return prefix + "/promotion" }

// Value gives the window as the parameter holds it.
func (w Window) Value() (string, error) {
	if err := w.check(); err != nil {
		return "", err
	}
	raw, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("window of stack %s: %w", w.Stack, err)
	}
	return string(raw), nil
}

// ReadWindow reads what Value gave. Fields that are unknown are left: they are a later release's.
func ReadWindow(value string) (Window, error) {
	var w Window
	if err := json.Unmarshal([]byte(value), &w); err != nil {
		return w, fmt.Errorf("window of a promotion: expected JSON: %w", err)
	}
	return w, w.check()
}

func (w Window) check() error {
	c := &checker{program: "window of a promotion"}
	c.pattern("Stack", w.Stack, stackPattern, "the name of a stack")
	c.pattern("Other", w.Other, stackPattern, "the name of a stack")
	if w.Stack == w.Other {
		c.fail("Other", w.Other, "another stack than Stack")
	}
	c.pattern("PublicURL", w.PublicURL, originPattern, "an origin such as https://panel.example.com")
	for _, host := range []struct {
		field   string
		address netip.Addr
	}{{"Database", w.Database}, {"Entrance", w.Entrance}, {"OtherDatabase", w.OtherDatabase}, {"OtherEntrance", w.OtherEntrance}} {
		c.private(host.field, host.address)
	}
	return c.err()
}

// private checks an address within a network of ours.
func (c *checker) private(field string, address netip.Addr) {
	if !address.Is4() || !address.IsPrivate() {
		c.fail(field, address, "a private IPv4 address")
	}
}
