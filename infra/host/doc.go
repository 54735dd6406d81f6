// Package host brings one Linux host of a cloud in line with what the stack says it is: it fetches the release, mounts the
// data volume, installs Debian's packages, writes what package machine renders, and starts, reloads or restarts what that
// concerns. It does so when the host boots and every minute after that; where nothing has changed it does nothing.
//
// A release that does not get ready is gone back from by itself.
package host
