package account

import (
	"time"

	"github.com/radpanel/radpanel/app/database"
)

// OccupyHashing takes all turns to hash and shortens the wait for one, until the returned function is called.
func (s *Service) OccupyHashing(wait time.Duration) (free func()) {
	s.hasher.wait = wait
	for range cap(s.hasher.turns) {
		s.hasher.turns <- struct{}{}
	}
	return func() {
		for range cap(s.hasher.turns) {
			<-s.hasher.turns
		}
	}
}

// DB is the service's pool.
func (s *Service) DB() *database.DB { return s.db }
