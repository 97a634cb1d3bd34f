/*
 * register.c - see register.h. The only file of kmsissue that knows LMDB.
 *
 * Every commit syncs (no MDB_NOSYNC, no MDB_NOMETASYNC): a certificate is written only when its
 * event is on disk. LMDB allows one writer at a time, so that two commands in one directory cannot
 * use the same serial number; its lock is freed when a writer is killed.
 */
#include "kmsctl/issue/register.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/base/file.h"
#include "libkms/base/wire.h"

/* Of address space, not of disk space; a 32-bit processor has 4 GiB of it. */
#define MAP_SIZE ((size_t)(sizeof(size_t) > 4 ? UINT64_C(4) << 30 : UINT64_C(1) << 30))
#define PATH_ROOM 1100
#define HASH 32
#define EVENT_RECORD_MAX (EVENT_MAX + HASH)

enum table { EVENTS, REQUESTS, HOSTS, SERIALS, KEYS, REVOKED, META, TABLES };
static const char *const names[TABLES] = {
	[EVENTS] = "events",     /* number: event, hash */
	[REQUESTS] = "requests", /* SHA-256 of a request: number of the event that answered */
	[HOSTS] = "hosts",       /* host key, host: number of confirmations */
	[SERIALS] = "serials",   /* certificate serial: event number */
	[KEYS] = "keys",         /* host key: event number */
	[REVOKED] = "revoked",   /* kind, subject: event number */
	[META] = "meta",         /* "list": number of the last revocation list */
};

struct issue_register {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi tables[TABLES];
};

static const char damaged[] = "it is damaged: restore issued/ledger from a backup";
static const char later[] = "it was written by a later kmsissue: use that one";

static int
status_of(int rc)
{
	switch (rc) {
	case 0:
		return KMS_OK;
	case MDB_NOTFOUND:
		return KMS_E_NOT_FOUND;
	case MDB_MAP_FULL:
		return KMS_E_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_BAD_TXN:
	case MDB_INCOMPATIBLE:
		return KMS_E_ALTERED;
	}
	errno = rc > 0 ? rc : EIO;
	return file_status(errno);
}

static MDB_val
value(const void *octets, size_t len)
{
	return (MDB_val){ .mv_data = (void *)(uintptr_t)octets, .mv_size = len };
}

static void
put_u64(uint8_t out[8], uint64_t v)
{
	struct wire_writer w;

	wire_writer_init(&w, out, 8);
	wire_put_u64(&w, v);
}

static int
get(struct issue_register *r, enum table t, const void *key, size_t len, MDB_val *out)
{
	MDB_val k = value(key, len);

	return status_of(mdb_get(r->txn, r->tables[t], &k, out));
}

static int
get_u64(struct issue_register *r, enum table t, const void *key, size_t len, uint64_t *out)
{
	struct wire_reader reader;
	MDB_val v;
	int rc = get(r, t, key, len, &v);

	if (rc != KMS_OK)
		return rc;
	wire_reader_init(&reader, v.mv_data, v.mv_size);
	*out = wire_get_u64(&reader);
	return wire_finish(&reader) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}

static int
put_number(struct issue_register *r, enum table t, const void *key, size_t len, uint64_t number)
{
	uint8_t octets[8];
	MDB_val k = value(key, len), v = value(octets, sizeof(octets));

	put_u64(octets, number);
	return status_of(mdb_put(r->txn, r->tables[t], &k, &v, 0));
}

/* Number of the last row of a table whose keys are numbers; 0: none. */
static int
last_number(struct issue_register *r, enum table t, uint64_t *number, MDB_val *v)
{
	struct wire_reader reader;
	MDB_cursor *c;
	MDB_val k;
	int rc = status_of(mdb_cursor_open(r->txn, r->tables[t], &c));

	*number = 0;
	if (rc != KMS_OK)
		return rc;
	rc = status_of(mdb_cursor_get(c, &k, v, MDB_LAST));
	mdb_cursor_close(c);
	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return rc;
	wire_reader_init(&reader, k.mv_data, k.mv_size);
	*number = wire_get_u64(&reader);
	return wire_finish(&reader) == KMS_OK && *number > 0 ? KMS_OK : KMS_E_ALTERED;
}

/* -- reading and adding events -- */

static void
chain(uint8_t out[HASH], const uint8_t previous[HASH], const uint8_t *event, size_t len)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, previous, HASH);
	crypto_hash_sha256_update(&st, event, len);
	crypto_hash_sha256_final(&st, out);
}

static int
read_event(struct issue_register *r, uint64_t number, struct register_event *out)
{
	uint8_t key[8];
	MDB_val v;
	int rc;

	put_u64(key, number);
	if ((rc = get(r, EVENTS, key, sizeof(key), &v)) != KMS_OK)
		return rc == KMS_E_NOT_FOUND ? KMS_E_ALTERED : rc;
	if (v.mv_size < HASH)
		return KMS_E_ALTERED;
	rc = register_event_decode(out, v.mv_data, v.mv_size - HASH);
	if (rc != KMS_OK)
		return rc == KMS_E_SCHEMA ? rc : KMS_E_ALTERED;
	out->number = number;
	return KMS_OK;
}

/* Key of the table REVOKED. */
static void
revoked_key(uint8_t out[17], uint8_t kind, const struct register_event *e)
{
	memset(out, 0, 17);
	out[0] = kind;
	if (kind == EVENT_REVOKE_KEY)
		memcpy(out + 1, e->host_key, 16);
	else if (kind == EVENT_REVOKE_HOST)
		memcpy(out + 1, e->host, 16);
	else
		put_u64(out + 1, e->serial);
}

/* Adds what is looked up later, beside the event itself. */
static int
derive(struct issue_register *r, const struct register_event *e)
{
	uint8_t pair[32], serial[8], revoked[17];
	int rc;

	switch (e->kind) {
	case EVENT_KEY:
		return put_number(r, KEYS, e->host_key, 16, e->number);
	case EVENT_CONFIRM:
		memcpy(pair, e->host_key, 16);
		memcpy(pair + 16, e->host, 16);
		put_u64(serial, e->serial);
		if ((rc = put_number(r, REQUESTS, e->request, 32, e->number)) != KMS_OK ||
		    (rc = put_number(r, SERIALS, serial, 8, e->number)) != KMS_OK)
			return rc;
		return put_number(r, HOSTS, pair, sizeof(pair), e->confirmation);
	case EVENT_REVOKE_KEY:
	case EVENT_REVOKE_HOST:
	case EVENT_REVOKE_SERIAL:
		revoked_key(revoked, e->kind, e);
		return put_number(r, REVOKED, revoked, sizeof(revoked), e->number);
	case EVENT_REVOCATIONS:
		return put_number(r, META, "list", 4, e->serial);
	}
	return KMS_OK;
}

int
register_append(struct issue_register *r, struct register_event *e)
{
	uint8_t record[EVENT_RECORD_MAX], previous[HASH] = { 0 }, number[8];
	size_t len = register_event_encode(record, EVENT_MAX, e);
	MDB_val k = value(number, sizeof(number)), v = { 0 };
	uint64_t last;
	int rc;

	if (len == 0)
		return KMS_E_ARGUMENT;
	if ((rc = last_number(r, EVENTS, &last, &v)) != KMS_OK)
		return rc;
	if (last > 0 && v.mv_size < HASH)
		return KMS_E_ALTERED;
	if (last > 0)
		memcpy(previous, (uint8_t *)v.mv_data + v.mv_size - HASH, HASH);
	chain(record + len, previous, record, len);
	e->number = last + 1;
	put_u64(number, e->number);
	v = value(record, len + HASH);
	rc = status_of(mdb_put(r->txn, r->tables[EVENTS], &k, &v, MDB_NOOVERWRITE | MDB_APPEND));
	return rc == KMS_OK ? derive(r, e) : rc;
}

int
register_each(struct issue_register *r, int (*fn)(const struct register_event *e, void *arg),
    void *arg, struct fault *f)
{
	uint8_t hash[HASH] = { 0 };
	struct register_event e;
	uint64_t last, number;
	MDB_val v;
	int rc = last_number(r, EVENTS, &last, &v);

	for (number = 1; rc == KMS_OK && number <= last; number++) {
		uint8_t key[8];

		put_u64(key, number);
		rc = get(r, EVENTS, key, sizeof(key), &v);
		if (rc == KMS_OK && v.mv_size >= HASH)
			chain(hash, hash, v.mv_data, v.mv_size - HASH);
		if (rc == KMS_E_NOT_FOUND ||
		    (rc == KMS_OK &&
			(v.mv_size < HASH ||
			    memcmp(hash, (uint8_t *)v.mv_data + v.mv_size - HASH, HASH) != 0)))
			rc = KMS_E_ALTERED;
		if (rc != KMS_OK || (rc = read_event(r, number, &e)) != KMS_OK)
			return fault_set(f, rc, "event %llu: %s", (unsigned long long)number,
			    rc == KMS_E_SCHEMA ? later : damaged);
		rc = fn(&e, arg);
	}
	return rc;
}

/* -- questions -- */

int
register_answered(struct issue_register *r, const uint8_t request[32], struct register_event *out)
{
	uint64_t number;
	int rc = get_u64(r, REQUESTS, request, 32, &number);

	return rc == KMS_OK ? read_event(r, number, out) : rc;
}

int
register_revoked(struct issue_register *r, const struct register_event *e)
{
	uint8_t key[17];
	uint64_t number;

	revoked_key(key, e->kind, e);
	return get_u64(r, REVOKED, key, sizeof(key), &number);
}

/* Pairs of the table HOSTS under a host key, at most max of them; host not NULL: only that host. */
static int
count_hosts(struct issue_register *r, const uint8_t host_key[16], const uint8_t *host, uint64_t max,
    uint64_t *count)
{
	uint8_t from[32] = { 0 };
	MDB_val k = value(from, sizeof(from)), v;
	MDB_cursor *c;
	int rc = status_of(mdb_cursor_open(r->txn, r->tables[HOSTS], &c));

	*count = 0;
	if (rc != KMS_OK)
		return rc;
	memcpy(from, host_key, 16);
	if (host != NULL)
		memcpy(from + 16, host, 16);
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0 && *count < max;
	     rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size != 32 || memcmp(k.mv_data, from, host != NULL ? 32 : 16) != 0)
			break;
		++*count;
	}
	mdb_cursor_close(c);
	return rc == 0 || rc == MDB_NOTFOUND ? KMS_OK : status_of(rc);
}

int
register_known(struct issue_register *r, const struct register_event *e)
{
	uint64_t number, count;
	MDB_cursor *c;
	MDB_val k, v;
	uint8_t serial[8];
	int rc;

	if (e->kind == EVENT_REVOKE_SERIAL) {
		put_u64(serial, e->serial);
		return get_u64(r, SERIALS, serial, sizeof(serial), &number);
	}
	if (e->kind == EVENT_REVOKE_KEY) {
		rc = get_u64(r, KEYS, e->host_key, 16, &number);
		if (rc != KMS_E_NOT_FOUND)
			return rc;
		/* A key that was signed with minisign itself is known from its confirmations. */
		rc = count_hosts(r, e->host_key, NULL, 1, &count);
		return rc == KMS_OK && count == 0 ? KMS_E_NOT_FOUND : rc;
	}
	if ((rc = status_of(mdb_cursor_open(r->txn, r->tables[HOSTS], &c))) != KMS_OK)
		return rc;
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0)
		if (k.mv_size == 32 && memcmp((uint8_t *)k.mv_data + 16, e->host, 16) == 0)
			break;
	mdb_cursor_close(c);
	return status_of(rc);
}

int
register_next_list(struct issue_register *r, uint64_t *number)
{
	int rc = get_u64(r, META, "list", 4, number);

	if (rc == KMS_E_NOT_FOUND)
		*number = 0;
	else if (rc != KMS_OK)
		return rc;
	++*number;
	return KMS_OK;
}

int
register_check(struct issue_register *r, const struct register_event *e, struct fault *f)
{
	static const struct {
		uint8_t kind;
		const char *what;
	} subjects[] = { { EVENT_REVOKE_KEY, "host key" }, { EVENT_REVOKE_HOST, "host" },
		{ EVENT_REVOKE_SERIAL, "certificate" } };
	struct register_event old;
	uint8_t key[17];
	uint64_t number;
	int rc;

	for (size_t i = 0; i < 3; i++) {
		revoked_key(key, subjects[i].kind, e);
		rc = get_u64(r, REVOKED, key, sizeof(key), &number);
		if (rc == KMS_E_NOT_FOUND)
			continue;
		if (rc != KMS_OK || (rc = read_event(r, number, &old)) != KMS_OK)
			return rc;
		return fault_set(
		    f, KMS_E_KEY_INVALID, "the %s was revoked: %s", subjects[i].what, old.reason);
	}
	return KMS_OK;
}

int
register_next(
    struct issue_register *r, const struct host_key *key, struct register_event *e, struct fault *f)
{
	uint64_t hosts, confirmations = 0, last;
	uint8_t pair[32];
	MDB_val v;
	int rc;

	if ((rc = register_check(r, e, f)) != KMS_OK)
		return rc;
	memcpy(pair, e->host_key, 16);
	memcpy(pair + 16, e->host, 16);
	rc = get_u64(r, HOSTS, pair, sizeof(pair), &confirmations);
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	if ((rc = last_number(r, SERIALS, &last, &v)) != KMS_OK ||
	    (rc = count_hosts(r, e->host_key, NULL, key->hosts, &hosts)) != KMS_OK)
		return rc;
	if (confirmations >= UINT16_MAX)
		return KMS_E_TOO_LARGE;
	e->serial = last + 1;
	e->confirmation = (uint16_t)(confirmations + 1);
	if (confirmations >= key->confirmations)
		return fault_set(f, KMS_E_LIMIT,
		    "this host was confirmed %u times, and the key allows %u",
		    (unsigned)confirmations, key->confirmations);
	if (confirmations == 0 && hosts >= key->hosts)
		return fault_set(f, KMS_E_LIMIT, "%u hosts were confirmed, and the key allows %u",
		    (unsigned)hosts, key->hosts);
	return KMS_OK;
}

/* -- opening -- */

/* LMDB maps the file: a truncated file would end this process with SIGBUS. */
static int
check_length(MDB_env *env, const char *path)
{
	char data[PATH_ROOM + 16];
	struct stat st;
	MDB_envinfo info;
	MDB_stat stat_;

	snprintf(data, sizeof(data), "%s/data.mdb", path);
	if (stat(data, &st) != 0)
		return file_status(errno);
	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat_) != 0)
		return KMS_E_ALTERED;
	return (uint64_t)st.st_size < (info.me_last_pgno + 1) * stat_.ms_psize ? KMS_E_ALTERED
									       : KMS_OK;
}

static int
open_env(struct issue_register *r, const char *issued, bool write)
{
	char path[PATH_ROOM];
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/ledger", issued) >= sizeof(path))
		return KMS_E_TOO_LARGE;
	if (write && (rc = file_make_dir(AT_FDCWD, path, 0700)) != KMS_OK)
		return rc;
	if (!write && !file_exists(AT_FDCWD, path)) {
		errno = ENOENT;
		return KMS_E_NOT_FOUND;
	}
	if ((rc = mdb_env_create(&r->env)) != 0 || (rc = mdb_env_set_maxdbs(r->env, TABLES)) != 0 ||
	    (rc = mdb_env_set_mapsize(r->env, MAP_SIZE)) != 0 ||
	    (rc = mdb_env_open(r->env, path, write ? 0 : MDB_RDONLY, 0600)) != 0)
		return status_of(rc);
	if ((rc = check_length(r->env, path)) != KMS_OK)
		return rc;
	rc = mdb_txn_begin(r->env, NULL, write ? 0 : MDB_RDONLY, &r->txn);
	for (int t = 0; rc == 0 && t < TABLES; t++)
		rc = mdb_dbi_open(r->txn, names[t], write ? MDB_CREATE : 0, &r->tables[t]);
	return status_of(rc);
}

int
register_open(struct issue_register **out, const char *issued, bool write, struct fault *f)
{
	struct issue_register *r = calloc(1, sizeof(*r));
	int rc, saved;

	*out = NULL;
	if (r == NULL)
		return KMS_E_NO_MEMORY;
	rc = open_env(r, issued, write);
	if (rc == KMS_E_ALTERED)
		fault_set(f, rc, "%s", damaged);
	if (rc == KMS_OK) {
		*out = r;
		return KMS_OK;
	}
	saved = errno;
	register_close(r);
	errno = saved;
	return rc;
}

int
register_commit(struct issue_register *r)
{
	int rc = status_of(mdb_txn_commit(r->txn));

	r->txn = NULL;
	return rc;
}

void
register_close(struct issue_register *r)
{
	if (r == NULL)
		return;
	if (r->txn != NULL)
		mdb_txn_abort(r->txn);
	if (r->env != NULL)
		mdb_env_close(r->env);
	free(r);
}
