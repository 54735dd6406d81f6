package database_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

func TestStatementsAreCountedAndTimed(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := database.NewStatementCounter(registry)
	db := server.NewDatabase(t).OpenWith(t, database.Options{Connections: 2, Wait: 5 * time.Second, Tracer: counter})
	user := newUser(t, db.Queries, "a@example.com")
	for range 3 {
		_, err := db.GetUser(t.Context(), dbgen.GetUserParams{Bucket: user.Bucket, ID: user.ID})
		require.NoError(t, err)
	}
	_, err := db.GetUser(t.Context(), dbgen.GetUserParams{Bucket: user.Bucket, ID: uuid.Must(uuid.NewV7())})
	require.Error(t, err, "there is no such user")
	_, err = db.CreateUser(t.Context(), dbgen.CreateUserParams{Bucket: user.Bucket, ID: user.ID, Email: "b@example.com", PasswordHash: "x", Role: "user"})
	require.Error(t, err, "the user is there already")
	var slept string
	require.NoError(t, db.QueryRow(t.Context(), "SELECT pg_sleep(0.05)::text").Scan(&slept))

	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			key := family.GetName() + "/" + metric.GetLabel()[0].GetValue()
			values[key] = metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	const prefix = "radpanel_database_statement"
	assert.InDelta(t, 4, values[prefix+"s_total/GetUser"], 0)
	assert.InDelta(t, 2, values[prefix+"s_total/CreateUser"], 0)
	assert.InDelta(t, 1, values[prefix+"_failures_total/CreateUser"], 0)
	assert.Zero(t, values[prefix+"_failures_total/GetUser"], "no row is no failure")
	assert.InDelta(t, 5, values[prefix+"_duration_seconds/read"], 0)
	assert.InDelta(t, 3, values[prefix+"_duration_seconds/write"], 0, "a directory entry and two users, one of them refused")
	assert.GreaterOrEqual(t, values[prefix+"_seconds_total/other"], 0.05)
	assert.Positive(t, values[prefix+"_seconds_total/GetUser"])
	assert.EqualValues(t, 5, counter.Reads())
}
