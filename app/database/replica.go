package database

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/radpanel/radpanel/app/config"
)

const (
	// watchInterval is how often every replica is asked what it has replayed, and the primary where it is.
	watchInterval = 200 * time.Millisecond
	watchTimeout  = 500 * time.Millisecond
	// answerAge is how old a replica's last answer may be: one that does not answer is left out within a second.
	answerAge = watchInterval + watchTimeout
	// replicaTimeout bounds a read at a replica: one that hangs costs that much once.
	replicaTimeout = time.Second
	// ReplicaLag bounds how far behind a replica that is read may be: it has replayed all that the primary had written so
	// long ago.
	ReplicaLag = 5 * time.Second
)

// replica is a server that follows the primary and answers reads.
type replica struct {
	name string
	db   *DB

	mu         sync.Mutex
	replayed   uint64
	answeredAt time.Time
	// receiver is the process that gets the primary's log, as the replica said last. It follows if that was the same twice.
	receiver int32
	follows  bool
}

// Replicas are the read replicas of a primary.
type Replicas struct {
	primary *DB
	all     []*replica

	mu sync.Mutex
	// floor is where the primary was at floorAt, the look before last. A replica that has not got so far is not read.
	floor   uint64
	floorAt time.Time
	// last is where it was at lastAt, the last time that it said so.
	last   uint64
	lastAt time.Time
	next   int

	reads     *prometheus.CounterVec
	fallbacks *prometheus.CounterVec
}

// OpenReplicas prepares the pools of replicas, each with the limits of the primary's options. Reads go to the primary until
// Watch has found a replica fit.
func OpenReplicas(primary *DB, urls []config.Secret, options Options, registry prometheus.Registerer) (*Replicas, error) {
	r := &Replicas{
		primary: primary,
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_database_replica_reads_total", Help: "Reads that a replica answered.",
		}, []string{"replica"}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "radpanel_database_replica_fallbacks_total", Help: "Reads that a replica failed and the primary answered.",
		}, []string{"replica"}),
	}
	registry.MustRegister(r.reads, r.fallbacks)
	for i, url := range urls {
		options.URL, options.Invalidator, options.replica = url, nil, true
		options.Wait = min(options.Wait, replicaTimeout/2) // Then the primary answers.
		db, err := Open(options)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("replica %d: %w", i+1, err)
		}
		one := &replica{name: strconv.Itoa(i + 1), db: db}
		r.all = append(r.all, one)
		labels := prometheus.Labels{"replica": one.name}
		registry.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "radpanel_database_replica_usable", Help: "1 if the replica is read.", ConstLabels: labels,
			}, func() float64 {
				if r.fit(one, 0, time.Now()) {
					return 1
				}
				return 0
			}),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "radpanel_database_replica_lag_bytes", Help: "Bytes of the write-ahead log that the replica has yet to replay.",
				ConstLabels: labels,
			}, func() float64 { return r.lag(one) }),
		)
	}
	return r, nil
}

// refuseRestarted refuses a replica that has just started and answers before it is where it was. For a moment it is still
// believed to have replayed what it had before. A pooler in between has to do the same with its own connections.
func refuseRestarted(ctx context.Context, conn *pgx.Conn) error {
	// It asks the primary for more once it has replayed all that it has.
	var caughtUp bool
	if err := conn.QueryRow(ctx, "SELECT pg_last_wal_receive_lsn() IS NOT NULL OR NOT pg_is_in_recovery()").Scan(&caughtUp); err != nil {
		return err
	}
	if !caughtUp {
		return errors.New("the replica has not yet replayed the write-ahead log that it has")
	}
	return nil
}

// Close closes the pools.
func (r *Replicas) Close() {
	if r == nil {
		return
	}
	for _, one := range r.all {
		one.db.Close()
	}
}

// Watch keeps an eye on the replicas until ctx ends.
func (r *Replicas) Watch(ctx context.Context) {
	if r == nil {
		return
	}
	var watching sync.WaitGroup
	watching.Go(func() { every(ctx, watchInterval, r.lookAtPrimary) })
	for _, one := range r.all {
		watching.Go(func() { every(ctx, watchInterval, one.look) })
	}
	watching.Wait()
}

func every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Replicas) lookAtPrimary(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	asked := time.Now()
	position, err := r.primary.Position(ctx)
	if err != nil {
		return // Who cannot be asked is not waited for, but the floor gets old.
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A replica has had the time to get to where the primary was the last time, and to say so.
	r.floor, r.floorAt = r.last, r.lastAt
	r.last, r.lastAt = position, asked
}

// look asks the replica what it has replayed. A server that is a replica no longer has left the primary's history. So has one
// whose primary was put back to a moment before: its positions are of a history of its own. The primary refuses it, and the
// process that asks ends and is started again, so one that follows names the same process twice. See fit for when the primary is away.
func (r *replica) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	asked := time.Now()
	var replayed int64
	var receiver int32
	err := r.db.QueryRow(ctx, "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint, coalesce((SELECT pid FROM pg_stat_wal_receiver), 0) "+
		"WHERE pg_is_in_recovery()").Scan(&replayed, &receiver)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.answeredAt = time.Time{}
		return
	}
	r.follows, r.receiver = receiver != 0 && receiver == r.receiver, receiver
	r.replayed, r.answeredAt = uint64(replayed), asked //nolint:gosec // Never negative.
}

// fit tells whether a replica has replayed a position, answers, follows the primary and is not far behind. While the primary is away,
// nobody can follow it, and nothing is written.
func (r *Replicas) fit(one *replica, position uint64, now time.Time) bool {
	r.mu.Lock()
	floor, floorAt, away := r.floor, r.floorAt, now.Sub(r.lastAt) > 2*watchInterval
	r.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	return now.Sub(one.answeredAt) < answerAge && (one.follows || away) && !floorAt.IsZero() && now.Sub(floorAt) < ReplicaLag &&
		one.replayed >= floor && one.replayed >= position
}

func (r *Replicas) lag(one *replica) float64 {
	r.mu.Lock()
	floor := r.floor
	r.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	return max(0, float64(floor)-float64(one.replayed))
}

// choose gives a replica that is fit, in turn; nil if there is none.
func (r *Replicas) choose(ctx context.Context, position uint64) *replica {
	r.mu.Lock()
	r.next++
	start := r.next
	r.mu.Unlock()
	for i := range r.all {
		one := r.all[(start+i)%len(r.all)]
		if !r.fit(one, 0, time.Now()) {
			continue
		}
		if !r.fit(one, position, time.Now()) {
			one.look(ctx) // The write was a moment ago. It may be there by now.
		}
		if r.fit(one, position, time.Now()) {
			return one
		}
	}
	return nil
}

// Position tells how far the primary has written its log, in bytes: what is committed by now is before it.
func (db *DB) Position(ctx context.Context) (uint64, error) {
	var position int64
	err := db.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&position)
	return uint64(position), err //nolint:gosec // Never negative.
}

// Read runs a read at a replica that has replayed a position. If there is none, or it fails, the primary answers.
func Read[T any](ctx context.Context, replicas *Replicas, primary *DB, position uint64, read func(context.Context, *DB) (T, error)) (T, error) {
	if replicas == nil {
		return read(ctx, primary)
	}
	chosen := replicas.choose(ctx, position)
	if chosen == nil {
		return read(ctx, primary)
	}
	bounded, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	found, err := read(bounded, chosen.db)
	if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) {
		replicas.reads.WithLabelValues(chosen.name).Inc()
		return found, err
	}
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	chosen.mu.Lock()
	chosen.answeredAt = time.Time{} // Until it answers again.
	chosen.mu.Unlock()
	replicas.fallbacks.WithLabelValues(chosen.name).Inc()
	return read(ctx, primary)
}
