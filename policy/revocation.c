/*
 * revocation.c - see revocation.h.
 */
#include "policy/revocation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/base/number.h"
#include "libkms/base/uuid.h"
#include "policy/ini_values.h"
#include "policy/text.h"
#include "policy/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AT(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)

static void *
open_list(struct ini_reader *r, const char *argument)
{
	return r->arg;
}

static struct revocation *
next_entry(struct ini_reader *r, uint8_t kind)
{
	struct revocation_list *l = r->arg;
	struct revocation *e = &l->entries[l->count];

	if (l->count == REVOCATIONS) {
		ini_fail(r, r->line, "more than %d revocations", REVOCATIONS);
		return NULL;
	}
	e->kind = kind;
	return e;
}

/* Keeps the entry unless the same one is there already. */
static void *
keep(struct ini_reader *r, struct revocation *e, const char *argument)
{
	struct revocation_list *l = r->arg;

	for (unsigned i = 0; i < l->count; i++) {
		if (l->entries[i].kind != e->kind || l->entries[i].serial != e->serial ||
		    memcmp(l->entries[i].id, e->id, 16) != 0)
			continue;
		ini_fail(r, r->line, "'%.40s' is revoked twice", argument);
		return NULL;
	}
	l->count++;
	return e;
}

static void *
open_key(struct ini_reader *r, const char *argument)
{
	struct revocation *e = next_entry(r, REVOKED_KEY);

	if (e != NULL && !uuid_parse_not_nil(e->id, argument)) {
		ini_fail(r, r->line, "'%.40s' is not the UUID of a host key", argument);
		return NULL;
	}
	return e != NULL ? keep(r, e, argument) : NULL;
}

static void *
open_host(struct ini_reader *r, const char *argument)
{
	struct revocation *e = next_entry(r, REVOKED_HOST);

	if (e != NULL && !hex_parse(e->id, 16, argument)) {
		ini_fail(r, r->line, "'%.40s' is not a host id: 32 hexadecimal digits", argument);
		return NULL;
	}
	return e != NULL ? keep(r, e, argument) : NULL;
}

static void *
open_certificate(struct ini_reader *r, const char *argument)
{
	struct revocation *e = next_entry(r, REVOKED_CERTIFICATE);

	if (e != NULL && (!number_parse(&e->serial, NUMBER_EXACT, argument) || e->serial == 0)) {
		ini_fail(r, r->line, "'%.40s' is not the serial number of a certificate", argument);
		return NULL;
	}
	return e != NULL ? keep(r, e, argument) : NULL;
}

static const struct ini_key list_keys[] = {
	{ "publisher", ini_hex, AT(revocation_list, publisher), 0, 0, NULL, false },
	{ "number", ini_number, AT(revocation_list, number), 1, UINT32_MAX, NULL, false },
	{ "issued", ini_time, AT(revocation_list, issued), 0, 0, NULL, false },
};
static const struct ini_key entry_keys[] = {
	{ "time", ini_time, AT(revocation, time), 0, 0, NULL, false },
	{ "reason", ini_text, AT(revocation, reason), 1, 0, NULL, false },
};
static const struct ini_section sections[] = {
	{ "revocations", NULL, true, open_list, list_keys, COUNT(list_keys) },
	{ "revoked-key", "UUID", false, open_key, entry_keys, COUNT(entry_keys) },
	{ "revoked-host", "ID", false, open_host, entry_keys, COUNT(entry_keys) },
	{ "revoked-certificate", "SERIAL", false, open_certificate, entry_keys, COUNT(entry_keys) },
};

int
revocation_list_parse(struct revocation_list *out, const char *text, size_t len, struct fault *err)
{
	memset(out, 0, sizeof(*out));
	return ini_read(sections, COUNT(sections), out, text, len, REVOCATION_LIST_MAX, err);
}

static void
put_entry(struct text *t, const struct revocation *e)
{
	char id[UUID_TEXT], time[VALUE_TIME + 1];

	if (e->kind == REVOKED_KEY) {
		uuid_format(id, e->id);
		text_put(t, "[revoked-key %s]\n", id);
	} else if (e->kind == REVOKED_HOST) {
		hex_format(id, e->id, 16);
		text_put(t, "[revoked-host %s]\n", id);
	} else {
		text_put(t, "[revoked-certificate %llu]\n", (unsigned long long)e->serial);
	}
	if (!value_time_format(time, e->time) || e->reason[0] == '\0' ||
	    !value_text_ok(e->reason, REVOCATION_REASON))
		t->bad = true;
	text_put(t, "time = %s\nreason = %s\n", time, e->reason);
}

size_t
revocation_list_format(char *out, size_t size, const struct revocation_list *l)
{
	struct text t = { .out = out, .size = size };
	char publisher[17], issued[VALUE_TIME + 1];

	hex_format(publisher, l->publisher, 8);
	if (!value_time_format(issued, l->issued))
		t.bad = true;
	text_put(&t,
	    "# Install it with: kmsctl revocations install FILE\n[revocations]\n"
	    "publisher = %s\nnumber = %llu\nissued = %s\n",
	    publisher, (unsigned long long)l->number, issued);
	for (unsigned i = 0; i < l->count; i++)
		put_entry(&t, &l->entries[i]);
	return t.bad ? 0 : t.len;
}

const struct revocation *
revocation_find(const struct revocation_list *l, const uint8_t host_key[16], const uint8_t host[16],
    uint64_t serial)
{
	for (unsigned i = 0; l != NULL && i < l->count; i++) {
		const struct revocation *e = &l->entries[i];

		if ((e->kind == REVOKED_KEY && memcmp(e->id, host_key, 16) == 0) ||
		    (e->kind == REVOKED_HOST && host != NULL && memcmp(e->id, host, 16) == 0) ||
		    (e->kind == REVOKED_CERTIFICATE && e->serial == serial))
			return e;
	}
	return NULL;
}
