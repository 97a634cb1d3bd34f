/*
 * test_client.c - kms.h as a product sees it, offline: options, the licence
 * over time, a lease that is checked and exported, and an outage that takes
 * nothing away.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/client/client.h"
#include "libkms/client/machine.h"
#include "libkms/client/state.h"
#include "libkms/kms.h"
#include "libkms/kms_error.h"
#include "libkms/os/lock_file.h"
#include "libkms/os/net.h"
#include "t/lib/folder.h"
#include "t/lib/testhost.h"

#define T 1700000000u
#define DAY 86400u
#define YEAR (365u * DAY)

struct world {
	char directory[FOLDER_PATH];
	char path[FOLDER_PATH + 2];
	uint64_t now;
	struct testhost host;
	struct kms_options o;
};

static uint64_t
world_now(void *arg)
{
	return ((struct world *)arg)->now;
}

static int
setup(void **arg)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!folder_make(w->directory))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/s", w->directory);
	w->now = T;
	testhost_init(&w->host, 0x50, 1, T - YEAR, T + YEAR);
	w->o = (struct kms_options){ .size = sizeof(w->o),
		.publisher_key = w->host.publisher_text,
		.product = TESTHOST_PRODUCT,
		.state_file = w->path,
		.name = "tester",
		.grace_minutes = KMS_NO_GRACE,
		.now = world_now,
		.now_arg = w };
	*arg = w;
	return 0;
}

static int
teardown(void **arg)
{
	struct world *w = *arg;
	char beside[FOLDER_PATH + 16];
	int left;

	snprintf(beside, sizeof(beside), "%s.lock", w->path);
	unlink(beside);
	snprintf(beside, sizeof(beside), "%s.key", w->path);
	unlink(beside);
	unlink(w->path);
	left = rmdir(w->directory);
	free(w);
	return left;
}

static struct kms_client *
open_client(struct world *w)
{
	struct kms_client *c;

	assert_int_equal(kms_open(&c, &w->o), KMS_OK);
	return c;
}

/* A lease of ten days from now, as if a host had given it. */
static void
give_lease(struct world *w)
{
	struct aside names = { .name = "tester" };
	struct entry_client e;
	struct state_file *f;
	struct state *s;

	assert_int_equal(state_open(&f, &s, w->path, w->now, NULL), KMS_OK);
	testhost_entry(&w->host, &e, &names, s->pk, w->now, 14400);
	s->bundle_len = testhost_bundle(&w->host, s->bundle, sizeof(s->bundle), &e, &names);
	assert_true(s->bundle_len > 0);
	memcpy(s->lease_certificate, w->host.certificate, w->host.certificate_len);
	s->lease_certificate_len = w->host.certificate_len;
	assert_int_equal(state_save(f, NULL), KMS_OK);
	state_close(f);
}

static enum kms_licence
licence(struct world *w, struct kms_client *c)
{
	struct kms_status_info s = { .size = sizeof(s) };

	assert_int_equal(kms_status(c, &s), KMS_OK);
	return s.licence;
}

static void
test_options(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c;
	char text[300];
	struct kms_options o;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
#define REFUSED(change, want)                                                                      \
	do {                                                                                       \
		o = w->o;                                                                          \
		change;                                                                            \
		assert_int_equal(kms_open(&c, &o), want);                                          \
		assert_null(c);                                                                    \
	} while (0)
	REFUSED(o.size = 8, KMS_E_ARGUMENT);
	REFUSED(o.publisher_key = NULL, KMS_E_ARGUMENT);
	REFUSED(o.publisher_key = "RWnonsense", KMS_E_FORMAT);
	REFUSED(o.product = NULL, KMS_E_ARGUMENT);
	REFUSED(o.product = "6f1d2c3b-4a59-4687-9abc-def01234567", KMS_E_FORMAT);
	REFUSED(o.product = "6f1d2c3b-4a59-4687-9abc-def0123456789", KMS_E_FORMAT);
	REFUSED(o.product = "6f1d2c3b04a59-4687-9abc-def012345678", KMS_E_FORMAT);
	REFUSED(o.product = "6f1d2c3g-4a59-4687-9abc-def012345678", KMS_E_FORMAT);
	REFUSED(o.state_file = "", KMS_E_ARGUMENT);
	REFUSED(o.host = "kms:port", KMS_E_ARGUMENT);
	REFUSED(o.host = text, KMS_E_ARGUMENT);
	REFUSED(o.domain = text, KMS_E_ARGUMENT);
	REFUSED(o.name = "bad\nname", KMS_E_ARGUMENT);
	REFUSED(o.user = "bad\nname", KMS_E_ARGUMENT);
	REFUSED(o.virtual_machine = 3, KMS_E_ARGUMENT);
	REFUSED(o.virtual_machine = -2, KMS_E_ARGUMENT);
	REFUSED(o.customer = "", KMS_E_ARGUMENT); /* it would pin nothing */
	REFUSED(o.customer = text, KMS_E_ARGUMENT);
	REFUSED(o.customer = "turned \xe2\x80\xae round", KMS_E_ARGUMENT);
	REFUSED(o.host_key = "", KMS_E_FORMAT);
	REFUSED(o.host_key = "6f1d2c3b-4a59-4687-9abc-def01234567", KMS_E_FORMAT);
	REFUSED(o.state_file = "/nonexistent/s", KMS_E_IO);
#undef REFUSED
	assert_int_equal(kms_open(NULL, &w->o), KMS_E_ARGUMENT);
	assert_int_equal(kms_open(&c, NULL), KMS_E_ARGUMENT);
	kms_close(NULL);
	/* A product built against a shorter struct, and a long name cut between characters. */
	o = w->o;
	o.size = offsetof(struct kms_options, grace_minutes);
	memset(text, 'a', 63);
	memcpy(text + 63, "\xc3\xa4", 3);
	o.name = text;
	assert_int_equal(kms_open(&c, &o), KMS_OK);
	assert_int_equal(strlen(c->name), 63);
	assert_ptr_equal(c->now, NULL);
	kms_close(c);
}

static void
drop_key(struct kms_options *o)
{
	o->publisher_key = NULL;
}

static void
spoil_key(struct kms_options *o)
{
	o->publisher_key = "RWnonsense";
}

static void
spoil_product(struct kms_options *o)
{
	o->product = "6f1d2c3b";
}

static void
drop_product(struct kms_options *o)
{
	o->product = NULL;
}

static void
empty_state(struct kms_options *o)
{
	o->state_file = "";
}

static void
spoil_host(struct kms_options *o)
{
	o->host = "kms:port";
}

static void
spoil_name(struct kms_options *o)
{
	o->name = "two\nlines";
}

static void
spoil_customer(struct kms_options *o)
{
	o->customer = "";
}

static void
spoil_host_key(struct kms_options *o)
{
	o->host_key = "x\ny";
}

static void
spoil_machine(struct kms_options *o)
{
	o->virtual_machine = 7;
}

/* Whoever embeds the library reads which of twenty options is wrong, and what it should be. */
static void
test_wrong_option(void **arg)
{
	static const struct {
		void (*spoil)(struct kms_options *o);
		const char *says;
	} rows[] = {
		{ drop_key, "publisher_key: it is missing. It needs \"RW...\"" },
		{ spoil_key, "publisher_key: \"RWnonsense\" is not a minisign public key" },
		{ drop_product, "product: it is missing" },
		{ spoil_product, "product: \"6f1d2c3b\" is not a UUID" },
		{ empty_state, "state_file: it is empty" },
		{ spoil_host, "host: \"kms:port\" is not a name or an address" },
		{ spoil_name, "name: it is not UTF-8, or has control" },
		{ spoil_customer, "customer: it is empty" },
		{ spoil_host_key, "host_key: \"x?y\" is not a UUID" },
		{ spoil_machine,
		    "virtual_machine: 7 is not KMS_VM_DETECT, KMS_VM_YES or KMS_VM_NO" },
	};
	struct world *w = *arg;
	struct kms_client *c;
	char detail[300], tiny[9];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kms_options o = w->o;

		o.detail = detail;
		o.detail_size = sizeof(detail);
		rows[i].spoil(&o);
		assert_true(kms_open(&c, &o) != KMS_OK);
		if (strncmp(detail, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("\"%s\" is not \"%s...\"", detail, rows[i].says);
		o.detail = tiny;
		o.detail_size = sizeof(tiny);
		assert_true(kms_open(&c, &o) != KMS_OK);
		assert_memory_equal(tiny, rows[i].says, sizeof(tiny) - 1);
		assert_int_equal(tiny[sizeof(tiny) - 1], '\0');
	}
	w->o.detail = detail;
	w->o.detail_size = sizeof(detail);
	kms_close(open_client(w));
	assert_string_equal(detail, "");
}

/* Zero is what a product that says nothing has: as safe as -1, which products of before say. */
static void
test_virtual_machine(void **arg)
{
	struct world *w = *arg;
	const bool is = machine_is_virtual("");
	const struct {
		int says;
		bool sent;
	} rows[] = { { 0, is }, { -1, is }, { KMS_VM_DETECT, is }, { KMS_VM_YES, true },
		{ KMS_VM_NO, false } };
	struct kms_client *c;

	assert_int_equal(KMS_VM_DETECT, 0);
	assert_int_equal(KMS_VM_YES, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		w->o.virtual_machine = rows[i].says;
		c = open_client(w);
		assert_int_equal(c->virtual_machine, rows[i].sent);
		kms_close(c);
	}
}

/*
 * A client without state: a key pair of its own, nothing on disk, no grace that begins again at
 * each start, and nothing that another process could be using.
 */
static void
test_stateless(void **arg)
{
	struct world *w = *arg;
	struct kms_status_info s = { .size = sizeof(s) };
	struct kms_client *c, *d;
	uint8_t zero[16] = { 0 };
	char detail[300];

	w->o.state_file = NULL;
	w->o.grace_minutes = 0;
	w->o.detail = detail;
	w->o.detail_size = sizeof(detail);
	c = open_client(w);
	d = open_client(w);
	assert_string_equal(detail, "");
	assert_memory_not_equal(c->cmid, zero, sizeof(zero));
	assert_memory_not_equal(c->cmid, d->cmid, sizeof(c->cmid));
	assert_int_equal(kms_verify(c), KMS_E_NO_LEASE);
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_int_equal(s.licence, KMS_UNLICENSED);
	assert_int_equal(s.grace_left, 0);
	assert_memory_equal(s.cmid, c->cmid, sizeof(s.cmid));
	assert_int_equal(client_begin(c, NULL), KMS_OK);
	assert_int_equal(client_begin(d, NULL), KMS_OK);
	assert_memory_not_equal(c->secret->sk, d->secret->sk, sizeof(c->secret->sk));
	c->secret->sequence = 7;
	client_end(c);
	assert_null(c->secret);
	assert_int_equal(client_begin(c, NULL), KMS_OK);
	assert_int_equal(c->secret->sequence, 7);
	kms_close(d);
	kms_close(c);
	assert_int_equal(access(w->path, F_OK), -1);
	/* Grace is for a product that asks for it. */
	w->o.grace_minutes = 60;
	c = open_client(w);
	assert_int_equal(licence(w, c), KMS_GRACE);
	/* The clock is seen, for as long as the object lives. */
	w->now += 3600;
	assert_int_equal(licence(w, c), KMS_UNLICENSED);
	w->now -= DAY;
	assert_int_equal(licence(w, c), KMS_CLOCK_BACK);
	kms_close(c);
}

/* "Licensed to ...", for as long as there is a lease that verifies, also one that has ended. */
static void
test_licensed_to(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c = open_client(w);
	struct kms_status_info s = { .size = sizeof(s) };

	memset(s.customer, 'x', sizeof(s.customer));
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_string_equal(s.customer, "");
	assert_string_equal(s.group, "");
	give_lease(w);
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_string_equal(s.customer, w->host.cert.customer);
	assert_string_equal(s.group, w->host.cert.group);
	assert_true(s.customer[0] != '\0' && s.group[0] != '\0');
	w->now = T + 11 * DAY;
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_int_equal(s.licence, KMS_EXPIRED);
	assert_string_equal(s.customer, w->host.cert.customer);
	kms_close(c);
	/* Not of a lease that does not count here. */
	w->o.customer = "Somebody Else";
	c = open_client(w);
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_string_equal(s.customer, "");
	kms_close(c);
}

/* Whoever holds the lock and makes no state keeps others for two seconds, and no longer. */
static void
test_making(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c;
	char path[FOLDER_PATH + 16], detail[2 * FOLDER_PATH];
	intptr_t lock;

	snprintf(path, sizeof(path), "%s.lock", w->path);
	assert_true((lock = os_lock(path)) != OS_NO_LOCK);
	w->o.detail = detail;
	w->o.detail_size = sizeof(detail);
	assert_int_equal(kms_open(&c, &w->o), KMS_E_EXISTS);
	assert_non_null(strstr(detail, "another process is using it"));
	os_unlock(lock);
	kms_close(open_client(w));
	assert_string_equal(detail, "");
}

/* While one process asks, others may look, and may not ask. */
static void
test_in_use(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c = open_client(w), *d = open_client(w);
	struct kms_result r = { .size = sizeof(r) };
	char detail[300];
	FILE *f;

	assert_int_equal(client_begin(c, NULL), KMS_OK);
	assert_int_equal(kms_activate(d, &r), KMS_E_EXISTS);
	assert_non_null(strstr(r.detail, "another process is using it"));
	w->now += 3600;
	assert_int_equal(licence(w, d), KMS_UNLICENSED);
	assert_int_equal(kms_verify(d), KMS_E_NO_LEASE);
	assert_true(d->state->highest_seen == w->now - 3600); /* not written */
	client_end(c);
	assert_null(c->secret);
	kms_close(c);
	assert_int_equal(licence(w, d), KMS_UNLICENSED);
	assert_true(d->state->highest_seen == w->now);
	kms_close(d);
	f = fopen(w->path, "r+");
	fputs("damage", f);
	fclose(f);
	w->o.detail = detail;
	w->o.detail_size = sizeof(detail);
	assert_int_equal(kms_open(&d, &w->o), KMS_E_STATE);
	assert_non_null(strstr(detail, ": damaged, and left as it is. "));
	assert_non_null(strstr(detail, ".key away to begin as a new client"));
}

/* A new lease by one object is seen by the other, also in the lease file. */
static void
test_two_objects(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c = open_client(w);
	size_t size = 0;

	assert_int_equal(kms_verify(c), KMS_E_NO_LEASE);
	give_lease(w);
	assert_int_equal(kms_verify(c), KMS_OK);
	assert_int_equal(licence(w, c), KMS_ACTIVATED);
	assert_int_equal(kms_lease_export(c, NULL, &size), KMS_E_TOO_LARGE);
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(kms_verify(c), KMS_E_STATE);
	kms_close(c);
}

static void
test_entitlement(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c = open_client(w);
	char value[8];
	size_t size = sizeof(value);

	assert_int_equal(kms_entitlement(c, "edition", value, &size), KMS_E_NO_LEASE);
	assert_int_equal(
	    entitlements_add(&w->host.cert.entitlements, "edition", "special"), KMS_OK);
	testhost_certify(&w->host);
	give_lease(w);
	assert_int_equal(kms_entitlement(c, "edition", value, &size), KMS_OK);
	assert_string_equal(value, "special");
	assert_int_equal(size, 8);
	size = 7;
	assert_int_equal(kms_entitlement(c, "edition", value, &size), KMS_E_TOO_LARGE);
	assert_int_equal(size, 8);
	size = 0;
	assert_int_equal(kms_entitlement(c, "edition", NULL, &size), KMS_E_TOO_LARGE);
	assert_int_equal(kms_entitlement(c, "seats", value, &size), KMS_E_NOT_FOUND);
	assert_int_equal(kms_entitlement(c, NULL, value, &size), KMS_E_ARGUMENT);
	size = 8;
	assert_int_equal(kms_entitlement(c, "edition", NULL, &size), KMS_E_ARGUMENT);
	/* A lease that has ended still tells; a certificate that was altered does not. */
	w->now = T + 11 * DAY;
	assert_int_equal(kms_entitlement(c, "edition", value, &size), KMS_OK);
	w->host.certificate[68] ^= 1; /* the serial number */
	give_lease(w);
	assert_int_equal(kms_entitlement(c, "edition", value, &size), KMS_E_SIGNATURE);
	kms_close(c);
}

static void
test_licence_over_time(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c = open_client(w);

	assert_int_equal(licence(w, c), KMS_UNLICENSED);
	assert_int_equal(kms_verify(c), KMS_E_NO_LEASE);
	kms_close(c);
	give_lease(w);
	c = open_client(w);
	assert_int_equal(licence(w, c), KMS_ACTIVATED);
	assert_int_equal(kms_verify(c), KMS_OK);
	w->now = T + 5 * DAY;
	assert_int_equal(licence(w, c), KMS_RENEWAL_DUE);
	w->now = T + 10 * DAY - 1;
	assert_int_equal(kms_verify(c), KMS_OK);
	w->now = T + 10 * DAY;
	assert_int_equal(kms_verify(c), KMS_E_LEASE_EXPIRED);
	w->now = T + 10 * DAY + 60; /* the time seen is written once a minute */
	assert_int_equal(licence(w, c), KMS_EXPIRED);
	assert_int_equal(kms_verify(c), KMS_E_LEASE_EXPIRED);
	/* Setting the clock back does not bring it back, also not in the next run. */
	w->now = T + 10 * DAY - 3600;
	assert_int_equal(licence(w, c), KMS_EXPIRED);
	kms_close(c);
	c = open_client(w);
	w->now = T + 1 * DAY;
	assert_int_equal(licence(w, c), KMS_CLOCK_BACK);
	assert_int_equal(kms_verify(c), KMS_E_CLOCK_BACK);
	kms_close(c);
}

static void
test_grace(void **arg)
{
	struct world *w = *arg;
	struct kms_status_info s = { .size = sizeof(s) };
	struct kms_client *c;

	w->o.grace_minutes = 60;
	c = open_client(w);
	w->now += 1800;
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_int_equal(s.licence, KMS_GRACE);
	assert_int_equal(s.grace_left, 30);
	assert_int_equal(s.next_attempt, w->now);
	kms_close(c);
	w->now += 1800;
	c = open_client(w);
	assert_int_equal(licence(w, c), KMS_UNLICENSED);
	kms_close(c);
}

/* A lease that is not this publisher's, product's or client's does not count. */
static void
test_not_ours(void **arg)
{
	struct world *w = *arg;
	struct testhost other;
	struct kms_client *c;
	struct state_file *f;
	struct state *s;

	kms_close(open_client(w));
	give_lease(w);
	w->o.product = TESTHOST_OTHER;
	c = open_client(w);
	assert_int_equal(kms_verify(c), KMS_E_LEASE_OTHER);
	assert_int_equal(licence(w, c), KMS_UNLICENSED);
	kms_close(c);
	w->o.product = TESTHOST_PRODUCT;
	testhost_init(&other, 0x51, 1, T - YEAR, T + YEAR);
	w->o.publisher_key = other.publisher_text;
	c = open_client(w);
	assert_int_equal(kms_verify(c), KMS_E_PUBLISHER);
	kms_close(c);
	w->o.publisher_key = w->host.publisher_text;
	assert_int_equal(state_open(&f, &s, w->path, w->now, NULL), KMS_OK);
	memset(s->pk, 0x52, sizeof(s->pk)); /* the lease copied to another machine */
	assert_int_equal(state_save(f, NULL), KMS_OK);
	state_close(f);
	c = open_client(w);
	assert_int_equal(kms_verify(c), KMS_E_LEASE_OTHER);
	kms_close(c);
}

/* A stored lease of a host that the product does not want is none. */
static void
test_pins(void **arg)
{
	static const char *const key = "77777777-7777-7777-7777-777777777777";
	static const char *const no_key = "77777777-7777-7777-7777-777777777778";
	static const struct {
		const char *customer, *host_key;
		int rc;
	} rows[] = {
		{ NULL, NULL, KMS_OK },
		{ "Test Customer", NULL, KMS_OK },
		{ NULL, key, KMS_OK },
		{ "Test Customer", key, KMS_OK },
		{ "test customer", NULL, KMS_E_PINNED },
		{ "Test Customer ", NULL, KMS_E_PINNED },
		{ "Test", NULL, KMS_E_PINNED },
		{ NULL, no_key, KMS_E_PINNED },
		{ "Test Customer", no_key, KMS_E_PINNED },
		{ "Test", key, KMS_E_PINNED },
	};
	struct world *w = *arg;
	struct kms_client *c;
	char file[LEASE_FILE_MAX], value[8];
	size_t size;

	kms_close(open_client(w));
	give_lease(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		w->o.customer = rows[i].customer;
		w->o.host_key = rows[i].host_key;
		c = open_client(w);
		if (kms_verify(c) != rows[i].rc)
			fail_msg("row %zu", i);
		assert_int_equal(
		    licence(w, c), rows[i].rc == KMS_OK ? KMS_ACTIVATED : KMS_UNLICENSED);
		size = sizeof(file);
		assert_int_equal(kms_lease_export(c, file, &size), rows[i].rc);
		size = sizeof(value);
		assert_int_equal(kms_entitlement(c, "none", value, &size),
		    rows[i].rc == KMS_OK ? KMS_E_NOT_FOUND : rows[i].rc);
		kms_close(c);
	}
	/* A product that was built before there were pins: what is behind its struct is not read.
	 */
	w->o.size = offsetof(struct kms_options, customer);
	c = open_client(w);
	assert_int_equal(kms_verify(c), KMS_OK);
	kms_close(c);
}

/* A rotation that does not verify is not trusted, so a lease file is not spoilt by it either. */
static void
test_export_spoilt_rotation(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c;
	struct state_file *f;
	struct state *s;
	uint8_t file[8192];
	size_t size = sizeof(file);

	give_lease(w);
	assert_int_equal(state_open(&f, &s, w->path, w->now, NULL), KMS_OK);
	s->rotation_count = 1;
	memset(s->rotations, 0x55, sizeof(s->rotations[0]));
	assert_int_equal(state_save(f, NULL), KMS_OK);
	state_close(f);
	c = open_client(w);
	assert_int_equal(kms_verify(c), KMS_OK);
	assert_int_equal(kms_lease_export(c, file, &size), KMS_OK);
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, T, NULL), KMS_OK);
	kms_close(c);
}

static void
test_export(void **arg)
{
	struct world *w = *arg;
	struct kms_lease_info info = { .size = sizeof(info) };
	struct kms_client *c = open_client(w);
	uint8_t file[8192];
	uint8_t hash[32];
	const size_t names = 1 + 16 + 16 + 1 + 6 + 1;
	size_t i, need = 0, size = sizeof(file);
	int rc;

	assert_int_equal(kms_lease_export(c, file, &size), KMS_E_NO_LEASE);
	kms_close(c);
	give_lease(w);
	c = open_client(w);
	assert_int_equal(kms_lease_export(c, NULL, &need), KMS_E_TOO_LARGE);
	size = need - 1;
	assert_int_equal(kms_lease_export(c, file, &size), KMS_E_TOO_LARGE);
	assert_int_equal(size, need);
	assert_int_equal(kms_lease_export(c, file, &size), KMS_OK);
	assert_int_equal(size, need);
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, T, &info), KMS_OK);
	assert_memory_equal(info.cmid, c->cmid, 16);
	assert_memory_equal(info.host_id, w->host.cert.host_id, 16);
	assert_int_equal(info.issued, T);
	assert_int_equal(info.expires, T + 10 * DAY);
	assert_int_equal(info.renew_after, T + 5 * DAY);
	assert_int_equal(info.batch, 7);
	batch_header_hash(hash, file + size - names - 1 - 2 * MERKLE_HASH - 1 - 4 - 172);
	assert_memory_equal(info.header_hash, hash, sizeof(hash));
	assert_int_equal(info.index, 1);
	assert_string_equal(info.name, "tester");
	assert_string_equal(info.user, "");
	assert_int_equal(info.names, KMS_NAMES_MATCH);
	assert_string_equal(info.customer, "Test Customer");
	assert_string_equal(info.group, "clients");
	assert_memory_equal(info.host_key, w->host.cert.host_key_id, 16);
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, T + 10 * DAY, NULL),
	    KMS_E_LEASE_EXPIRED);
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, 0, NULL), KMS_OK);
	assert_int_equal(kms_lease_verify(file, size, "RW", 0, NULL), KMS_E_FORMAT);
	for (i = 0; i < size; i++) {
		assert_int_not_equal(
		    kms_lease_verify(file, i, w->o.publisher_key, 0, NULL), KMS_OK);
		file[i] ^= 0x10;
		rc = kms_lease_verify(file, size, w->o.publisher_key, 0, &info);
		/* The names at its end are no part of the proof: they are compared with it. */
		if (i < size - names)
			assert_int_not_equal(rc, KMS_OK);
		else
			assert_true(rc == KMS_OK && info.names == KMS_NAMES_DIFFER);
		file[i] ^= 0x10;
	}
	memset(file + size - names, 0, names);
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, 0, &info), KMS_OK);
	assert_int_equal(info.names, KMS_NAMES_NONE);
	assert_string_equal(info.name, "");
	file[7] = '2';
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, 0, NULL), KMS_E_SCHEMA);
	file[7] = '3';
	assert_int_equal(kms_lease_verify(file, LEASE_FILE_MAX + 1, w->o.publisher_key, 0, NULL),
	    KMS_E_TOO_LARGE);
	file[size] = 0;
	assert_int_not_equal(kms_lease_verify(file, size + 1, w->o.publisher_key, 0, NULL), KMS_OK);
	kms_close(c);
}

/* A port of 127.0.0.1 where nobody listens: bound by us, never listened on. */
static int
dead_port(char host[32])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = os_socket(AF_INET);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(host, 32, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

/* A port that takes connections and answers nothing. */
static int
mute_port(char host[32])
{
	int fd = dead_port(host);

	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

/* The same proof, and nothing of the names. */
static void
test_export_unnamed(void **arg)
{
	struct world *w = *arg;
	struct kms_lease_info info = { .size = sizeof(info) }, full = { .size = sizeof(full) };
	struct kms_client *c;
	uint8_t file[8192], named[8192];
	size_t need = 0, size = sizeof(file), of_named = sizeof(named);

	give_lease(w);
	c = open_client(w);
	assert_int_equal(kms_lease_export_unnamed(c, NULL, &need), KMS_E_TOO_LARGE);
	assert_int_equal(kms_lease_export_unnamed(c, file, &size), KMS_OK);
	assert_int_equal(kms_lease_export(c, named, &of_named), KMS_OK);
	assert_int_equal(size, need);
	assert_int_equal(size, of_named - (1 + 16 + 16 + 1 + 6 + 1));
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, T, &info), KMS_OK);
	assert_int_equal(kms_lease_verify(named, of_named, w->o.publisher_key, T, &full), KMS_OK);
	assert_int_equal(info.names, KMS_NAMES_NONE);
	assert_string_equal(info.name, "");
	assert_memory_equal(info.header_hash, full.header_hash, sizeof(info.header_hash));
	assert_memory_equal(info.cmid, full.cmid, sizeof(info.cmid));
	assert_int_equal(kms_lease_export_unnamed(NULL, file, &size), KMS_E_ARGUMENT);
	kms_close(c);
}

/* Result structs of an older product: what it does not know of is not written. */
static void
test_short_structs(void **arg)
{
	struct world *w = *arg;
	struct kms_status_info s;
	struct kms_client *c = open_client(w);
	char host[32];
	int fd;
	struct kms_result r;
	struct kms_lease_info info;
	uint8_t file[8192];
	size_t size = sizeof(file);

	memset(&s, 0x5a, sizeof(s));
	s.size = offsetof(struct kms_status_info, expires);
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_int_equal(s.size, offsetof(struct kms_status_info, expires));
	assert_int_equal(s.licence, KMS_UNLICENSED);
	assert_int_equal(s.expires, 0x5a5a5a5a5a5a5a5a);
	s.size = 0;
	assert_int_equal(kms_status(c, &s), KMS_E_ARGUMENT);
	/* As they were before warnings and the hash of a header. */
	memset(&s, 0x5a, sizeof(s));
	s.size = offsetof(struct kms_status_info, warning);
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_int_equal(s.warning, 0x5a5a5a5a);
	s.size = sizeof(s);
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_int_equal(s.warning, 0);
	kms_close(c);
	fd = dead_port(host);
	w->o.host = host;
	c = open_client(w);
	memset(&r, 0x5a, sizeof(r));
	r.size = offsetof(struct kms_result, warning);
	assert_int_equal(kms_activate(c, &r), KMS_E_NO_HOST);
	assert_int_equal(r.warning, 0x5a5a5a5a);
	os_close_socket(fd);
	give_lease(w);
	assert_int_equal(kms_lease_export(c, file, &size), KMS_OK);
	memset(&info, 0x5a, sizeof(info));
	info.size = offsetof(struct kms_lease_info, header_hash);
	assert_int_equal(kms_lease_verify(file, size, w->o.publisher_key, T, &info), KMS_OK);
	assert_int_equal(info.header_hash[0], 0x5a);
	kms_close(c);
}

static void
peek(struct world *w, uint64_t *sequence, uint8_t id[16])
{
	struct state_file *f;
	struct state *s;
	struct secret *secret;

	assert_int_equal(state_open(&f, &s, w->path, w->now, NULL), KMS_OK);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	assert_int_equal(state_secret(f, &secret, NULL), KMS_OK);
	*sequence = secret->sequence;
	memcpy(id, secret->pending_id, 16);
	state_close(f);
}

/* As if a host had challenged the request under way. */
static void
challenge(struct world *w)
{
	struct state_file *f;
	struct state *s;
	struct secret *secret;

	assert_int_equal(state_open(&f, &s, w->path, w->now, NULL), KMS_OK);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	assert_int_equal(state_secret(f, &secret, NULL), KMS_OK);
	memset(secret->challenge, 0x61, sizeof(secret->challenge));
	assert_int_equal(state_save_secret(f, NULL), KMS_OK);
	state_close(f);
}

static void
ask(struct world *w, int (*call)(struct kms_client *, struct kms_result *))
{
	struct kms_result r = { .size = sizeof(r) };
	struct kms_client *c = open_client(w);

	assert_int_equal(call(c, &r), KMS_E_NO_HOST);
	assert_int_equal(r.status, KMS_E_NO_HOST);
	assert_non_null(strstr(r.host, "127.0.0.1 port "));
	assert_non_null(strstr(r.detail, "refused"));
	kms_close(c);
}

static void
test_outage(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c;
	char host[32];
	int fd = dead_port(host);

	w->o.host = host;
	kms_close(open_client(w));
	give_lease(w);
	w->now = T + 5 * DAY;
	ask(w, kms_renew);
	ask(w, kms_activate);
	ask(w, kms_release);
	c = open_client(w);
	assert_int_equal(kms_verify(c), KMS_OK);
	assert_int_equal(licence(w, c), KMS_RENEWAL_DUE);
	kms_close(c);
	os_close_socket(fd);
}

/* Its host is known, so that what it asks is sent at once; and no answer comes. */
static int
know_host(struct world *w, char host[32])
{
	struct state_file *f;
	struct state *s;

	assert_int_equal(state_open(&f, &s, w->path, w->now, NULL), KMS_OK);
	memcpy(s->certificate, w->host.certificate, w->host.certificate_len);
	s->certificate_len = w->host.certificate_len;
	w->host.exchange.made = w->now;
	w->host.exchange.until = w->now + 7 * DAY;
	w->host.exchange.ends = w->now + 8 * DAY;
	testhost_state(&w->host);
	memcpy(s->statement, w->host.statement, sizeof(s->statement));
	s->has_statement = true;
	assert_int_equal(state_save(f, NULL), KMS_OK);
	state_close(f);
	w->o.reply_timeout = 1;
	return mute_port(host);
}

static void
ask_in_vain(struct world *w, int (*call)(struct kms_client *, struct kms_result *))
{
	struct kms_client *c = open_client(w);

	assert_int_equal(call(c, NULL), KMS_E_TIMEOUT);
	kms_close(c);
}

/* What was never sent leaves nothing behind: the number is free. */
static void
test_not_sent(void **arg)
{
	struct world *w = *arg;
	uint8_t id[16];
	uint64_t sequence;
	char host[32];
	int fd = dead_port(host);

	w->o.host = host;
	ask(w, kms_activate);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 0);
	assert_true(sodium_is_zero(id, sizeof(id)));
	os_close_socket(fd);
	fd = know_host(w, host);
	ask_in_vain(w, kms_activate);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 1);
	assert_false(sodium_is_zero(id, sizeof(id)));
	os_close_socket(fd);
}

/* The same request again while it is unanswered, a new one when it is old, of another kind or for
 * another product. */
static void
test_repeat(void **arg)
{
	struct world *w = *arg;
	uint8_t id[16], before[16];
	uint64_t sequence;
	char host[32];
	int fd = know_host(w, host);

	w->o.host = host;
	ask_in_vain(w, kms_activate);
	peek(w, &sequence, before);
	assert_int_equal(sequence, 1);
	w->now += CLIENT_PENDING;
	ask_in_vain(w, kms_activate);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 1);
	assert_memory_equal(id, before, 16);
	w->now++;
	ask_in_vain(w, kms_activate);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 2);
	assert_memory_not_equal(id, before, 16);
	ask_in_vain(w, kms_renew);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 3);
	w->o.product = TESTHOST_OTHER;
	ask_in_vain(w, kms_renew);
	peek(w, &sequence, before);
	assert_int_equal(sequence, 4);
	/* One that echoes is repeated however old it is, also after the clock was set back. */
	challenge(w);
	w->now += 30 * DAY;
	ask_in_vain(w, kms_renew);
	w->now -= 60 * DAY;
	ask_in_vain(w, kms_renew);
	w->now += 30 * DAY;
	peek(w, &sequence, id);
	assert_int_equal(sequence, 4);
	assert_memory_equal(id, before, 16);
	ask_in_vain(w, kms_release);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 5);
	os_close_socket(fd);
}

static int
borrow_a_day(struct kms_client *c, struct kms_result *result)
{
	return kms_borrow(c, 1440, result);
}

static int
borrow_a_week(struct kms_client *c, struct kms_result *result)
{
	return kms_borrow(c, 10080, result);
}

/* A request to borrow is repeated as it was; for another time, it is another request. */
static void
test_borrow_repeat(void **arg)
{
	struct world *w = *arg;
	uint8_t id[16], before[16];
	uint64_t sequence;
	char host[32];
	int fd = know_host(w, host);

	w->o.host = host;
	ask_in_vain(w, borrow_a_day);
	peek(w, &sequence, before);
	ask_in_vain(w, borrow_a_day);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 1);
	assert_memory_equal(id, before, 16);
	ask_in_vain(w, borrow_a_week);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 2);
	assert_memory_not_equal(id, before, 16);
	ask_in_vain(w, kms_activate);
	peek(w, &sequence, id);
	assert_int_equal(sequence, 3);
	os_close_socket(fd);
}

/*
 * When to ask again after a refusal with a time: for a seat that is to come back, the interval is
 * the longest; a host that is busy is obeyed.
 */
static void
test_next(void **arg)
{
	static const struct {
		uint32_t status, retry, interval;
		uint64_t least;
	} rows[] = {
		{ KMS_E_CAPACITY, 600, 120, 600 },
		{ KMS_E_CAPACITY, 7199, 120, 7199 },
		{ KMS_E_CAPACITY, 7200, 120, 7200 },
		{ KMS_E_CAPACITY, 80000, 120, 7200 },
		{ KMS_E_CLASS_FULL, 80000, 120, 7200 },
		{ KMS_E_RECLAIMED, 80000, 120, 7200 },
		{ KMS_E_BORROWED_OUT, 80000, 120, 7200 },
		{ KMS_E_CAPACITY, 80000, 0, 7200 },
		{ KMS_E_CAPACITY, 0, 30, 1800 },
		{ KMS_E_LEDGER, 80000, 120, 80000 },
		{ KMS_E_TOO_SOON, 80000, 120, 80000 },
	};
	struct world *w = *arg;
	struct kms_client *c = open_client(w);
	enum kms_operation operation = KMS_RELEASE;

	assert_int_equal(kms_next(c, &operation), 0);
	assert_int_equal(operation, KMS_ACTIVATE);
	assert_int_equal(kms_next(NULL, NULL), -1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kms_status_info s = { .size = sizeof(s) };
		struct state_file *f;
		struct state *state;

		assert_int_equal(state_open(&f, &state, w->path, w->now, NULL), KMS_OK);
		state->last_status = rows[i].status;
		state->retry_after = rows[i].retry;
		state->activation_interval = rows[i].interval;
		state->last_attempt = w->now;
		assert_int_equal(state_save(f, NULL), KMS_OK);
		state_close(f);
		assert_int_equal(kms_status(c, &s), KMS_OK);
		/* And up to a quarter, so that clients do not ask together. */
		if (s.next_attempt < w->now + rows[i].least ||
		    s.next_attempt > w->now + rows[i].least * 5 / 4)
			fail_msg("row %zu: %u", i, (unsigned)(s.next_attempt - w->now));
		assert_int_equal(kms_next(c, NULL),
		    s.next_attempt - w->now < DAY ? (s.next_attempt - w->now) * 1000 : DAY * 1000);
	}
	give_lease(w);
	assert_int_equal(kms_next(c, &operation), DAY * 1000);
	assert_int_equal(operation, KMS_RENEW);
	kms_close(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_option, setup, teardown),
		cmocka_unit_test_setup_teardown(test_virtual_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stateless, setup, teardown),
		cmocka_unit_test_setup_teardown(test_licensed_to, setup, teardown),
		cmocka_unit_test_setup_teardown(test_making, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_objects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entitlement, setup, teardown),
		cmocka_unit_test_setup_teardown(test_licence_over_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_export, setup, teardown),
		cmocka_unit_test_setup_teardown(test_export_unnamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_export_spoilt_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_structs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_borrow_repeat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
