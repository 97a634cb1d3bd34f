/*
 * merge.c - see merge.h.
 */
#include "kmsdb/merge.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

int
merge_order(const struct merge_chains *chains, uint16_t a, uint16_t b)
{
	bool has_a = chains != NULL && a < chains->count,
	     has_b = chains != NULL && b < chains->count;

	if (a == b)
		return 0;
	if (has_a && has_b)
		return memcmp(chains->hosts[a], chains->hosts[b], 16);
	if (has_a != has_b)
		return has_a ? 1 : -1;
	return a < b ? -1 : 1;
}
