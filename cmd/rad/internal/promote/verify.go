package promote

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// stripe is how many buckets one statement compares: a panel under load notices a short one less.
	stripe = 16
	// tries is how often a bucket is compared that differs: rows change while one looks, but not the same ones each time.
	tries = 5
	// arrival is how long what was written may take to arrive at the other side.
	arrival = 30 * time.Second
)

// Verify compares the rows of both sides, bucket by bucket, while the panel goes on writing. What differs is looked at row
// by row: a row that stays the same at the old side, and is still another at the new side when all that was written
// before has arrived there, was lost or changed on its way. The method is that of Vitess' VDiff, without stopping the
// replication: https://vitess.io/docs/reference/vreplication/vdiff/.
func (p *Promotion) verify(ctx context.Context) error {
	tables, err := p.fromDB.tables(ctx)
	if err != nil {
		return err
	}
	for _, d := range []database{p.fromDB, p.toDB} {
		// Rows are compared as text, which depends on these.
		err := d.exec(ctx, "prepare the comparison", "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET extra_float_digits = 3; SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'")
		if err != nil {
			return err
		}
	}
	var rows int64
	for _, t := range tables {
		compared, err := p.verifyTable(ctx, t)
		if err != nil {
			return err
		}
		rows += compared
		p.Say(fmt.Sprintf("compared %s: %d rows", t.name, compared), false)
	}
	if err := p.readNew(ctx); err != nil {
		return err
	}
	p.Say(fmt.Sprintf("%d rows of %d tables are alike", rows, len(tables)), true)
	return nil
}

// sum is of the rows of one bucket: how many there are, and the sum of their hashes.
type sum struct {
	rows int64
	hash string
}

func (p *Promotion) verifyTable(ctx context.Context, t table) (rows int64, err error) {
	stripes := []string{"true"}
	if t.hasBucket {
		stripes = nil
		for first := int(p.record.Buckets.First); first <= int(p.record.Buckets.Last); first += stripe {
			stripes = append(stripes, fmt.Sprintf("bucket BETWEEN %d AND %d", first, min(first+stripe-1, int(p.record.Buckets.Last))))
		}
	}
	for _, where := range stripes {
		old, err := p.fromDB.sums(ctx, t, where)
		if err != nil {
			return 0, err
		}
		if err := p.arrive(ctx); err != nil {
			return 0, err
		}
		copied, err := p.toDB.sums(ctx, t, where)
		if err != nil {
			return 0, err
		}
		for bucket, sum := range old {
			rows += sum.rows
			if copied[bucket] == sum {
				delete(copied, bucket)
				continue
			}
			copied[bucket] = sum
		}
		for bucket := range copied { // Those that differ, or are on the new side alone.
			if err := p.verifyRows(ctx, t, bucket); err != nil {
				return 0, err
			}
		}
	}
	return rows, nil
}

// arrive waits until what the old side has written by now is at the new one.
func (p *Promotion) arrive(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, arrival, fmt.Errorf("it did not arrive within %s", arrival))
	defer cancel()
	marker, err := p.fromDB.mark(ctx)
	if err != nil {
		return err
	}
	return p.toDB.awaitMarker(ctx, marker)
}

func (d database) sums(ctx context.Context, t table, where string) (map[int16]sum, error) {
	bucket := "0::smallint"
	if t.hasBucket {
		bucket = "bucket"
	}
	rows, err := d.Query(ctx, fmt.Sprintf(`SELECT %s, count(*), sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric)::text
		FROM %s t WHERE %s GROUP BY 1`, bucket, t.quoted(), where))
	if err != nil {
		return nil, d.fail("add up "+t.name, err)
	}
	sums := map[int16]sum{}
	var number int16
	var s sum
	_, err = pgx.ForEachRow(rows, []any{&number, &s.rows, &s.hash}, func() error {
		sums[number] = s
		return nil
	})
	return sums, d.fail("add up "+t.name, err)
}

// verifyRows compares the rows of one bucket.
func (p *Promotion) verifyRows(ctx context.Context, t table, bucket int16) error {
	before, err := p.fromDB.rows(ctx, t, bucket)
	if err != nil {
		return err
	}
	for range tries {
		if err := p.arrive(ctx); err != nil {
			return err
		}
		copied, err := p.toDB.rows(ctx, t, bucket)
		if err != nil {
			return err
		}
		after, err := p.fromDB.rows(ctx, t, bucket)
		if err != nil {
			return err
		}
		differing := ""
		for key, hash := range before {
			if after[key] == hash && copied[key] != hash {
				differing = key // It has not changed meanwhile, and what was written before has arrived.
			}
		}
		for key := range copied {
			_, was := before[key]
			if _, is := after[key]; !was && !is {
				differing = key // It may have been made and deleted within this try, but not within each.
			}
		}
		if differing == "" {
			return nil
		}
		before = after
	}
	return fmt.Errorf("table %s, bucket %d: the rows of %s and %s differ: nothing was moved. Roll back with `rad promote rollback %s %s` and promote again, "+
		"which copies anew", t.name, bucket, p.From, p.To, p.From, p.To)
}

// rows gives the hash of every row of a bucket by its key.
func (d database) rows(ctx context.Context, t table, bucket int16) (map[string]string, error) {
	columns := make([]string, len(t.key))
	for i, column := range t.key {
		columns[i] = pgx.Identifier{column}.Sanitize() + "::text"
	}
	where := "true"
	if t.hasBucket {
		where = fmt.Sprintf("bucket = %d", bucket)
	}
	rows, err := d.Query(ctx, fmt.Sprintf("SELECT concat_ws(' ', %s), md5(t::text) FROM %s t WHERE %s", strings.Join(columns, ", "), t.quoted(), where))
	if err != nil {
		return nil, d.fail("compare "+t.name, err)
	}
	hashes := map[string]string{}
	var key, hash string
	_, err = pgx.ForEachRow(rows, []any{&key, &hash}, func() error {
		hashes[key] = hash
		return nil
	})
	return hashes, d.fail("compare "+t.name, err)
}
