package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUnwrapped(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"an unhandled error occurred: 1 error occurred:\n\t* stack x: no such tier\n\n": "stack x: no such tier",
		"an unhandled error occurred: the program ended":                                "the program ended",
		"port 5432 is taken":                       "port 5432 is taken",
		"2 errors occurred:\n\t* one\n\t* two\n\n": "2 errors occurred:\n\t* one\n\t* two\n\n",
	} {
		assert.Equal(t, want, unwrapped(given))
	}
}
