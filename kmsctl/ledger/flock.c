/*
 * flock.c - see flock.h.
 */
#include "kmsctl/ledger/flock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/client_filter.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/base/fault.h"
#include "libkms/base/grow.h"
#include "libkms/kms_error.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t
mix(uint64_t key, unsigned char octet)
{
	return (key ^ octet) * FNV_PRIME;
}

/* FNV-1a. Two that differ and have one number would only be told of together. */
static uint64_t
key_of(const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	uint64_t key = FNV_BASIS;

	for (unsigned i = 0; i < 16; i++)
		key = mix(mix(key, c->product[i]), cold->address[i]);
	for (const char *n = cold->name; *n != '\0'; n++)
		key = mix(key, (unsigned char)tolower((unsigned char)*n));
	return key;
}

static bool
concerns(const struct flocks *f, const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	return cold->name[0] != '\0' && client_counts(c, f->now);
}

int
flocks_add(struct flocks *f, const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	uint64_t *more;

	if (!concerns(f, c, cold))
		return KMS_OK;
	if ((more = grow_list(f->keys, f->key_count, &f->room, sizeof(*more))) == NULL)
		return KMS_E_NO_MEMORY;
	f->keys = more;
	f->keys[f->key_count++] = key_of(c, cold);
	return KMS_OK;
}

static int
by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Keeps the largest. */
static void
offer(struct flocks *f, uint64_t key, uint64_t seats)
{
	size_t i;

	if (seats < FLOCK_LEAST)
		return;
	if (f->count < FLOCKS_MOST)
		f->count++;
	else if (f->at[FLOCKS_MOST - 1].seats >= seats)
		return;
	for (i = f->count - 1; i > 0 && f->at[i - 1].seats < seats; i--)
		f->at[i] = f->at[i - 1];
	f->at[i] = (struct flock){ .key = key, .seats = seats };
}

static int
recognise(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct flocks *f = arg;
	uint64_t key;

	if (!concerns(f, c, cold))
		return 0;
	key = key_of(c, cold);
	for (size_t i = 0; i < f->count; i++)
		if (f->at[i].key == key && f->at[i].name[0] == '\0') {
			snprintf(f->at[i].name, sizeof(f->at[i].name), "%s", cold->name);
			memcpy(f->at[i].address, cold->address, 16);
		}
	return 0;
}

int
flocks_find(struct ctl *ctl, struct flocks *f)
{
	struct fault fault = { 0 };
	size_t n;

	if (f->key_count > 0)
		qsort(f->keys, f->key_count, sizeof(*f->keys), by_key);
	for (size_t at = 0; at < f->key_count; at += n) {
		for (n = 1; at + n < f->key_count && f->keys[at + n] == f->keys[at];)
			n++;
		offer(f, f->keys[at], n);
	}
	return f->count > 0 ? ledger_each_client(ctl, recognise, f, &fault) : KMS_OK;
}

void
flocks_free(struct flocks *f)
{
	free(f->keys);
	f->keys = NULL;
	f->key_count = f->room = 0;
}
