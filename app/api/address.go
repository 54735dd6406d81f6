package api

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

// requestID takes the id that the balancer gave, so that its logs and these can be joined; else makes one.
func (a *API) requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); requestIDPattern.MatchString(id) && a.trusts(peer(r)) {
		return id
	}
	return uuid.Must(uuid.NewV7()).String()
}

// clientAddress is the address of the client: the last one in X-Forwarded-For that is not a proxy of ours. What stands
// before it the client may have written itself.
func (a *API) clientAddress(r *http.Request) string {
	address := peer(r)
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && a.trusts(address); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		address = next.Unmap()
	}
	if !address.IsValid() {
		return "unknown"
	}
	return address.WithZone("").String()
}

func (a *API) trusts(address netip.Addr) bool {
	for _, prefix := range a.proxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// isFromInside tells a request of our own programs from one of a user: it comes from where the proxies are, and past
// them, for they all say whom they forward.
func (a *API) isFromInside(r *http.Request) bool {
	return a.trusts(peer(r)) && r.Header.Get("X-Forwarded-For") == ""
}

func peer(r *http.Request) netip.Addr {
	addrPort, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addrPort.Addr().Unmap()
}
