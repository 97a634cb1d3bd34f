/*
 * publishers.c - what publishers send: policy pack, host key and confirmation. A file that
 * [publisher NAME] names is compared with what is installed, and installed when it is due, through
 * the running kmsd as the commands do; what no file is named for is the administrator's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/host/ask.h"
#include "kmsctl/host/install.h"
#include "kmsctl/host/signed_file.h"
#include "kmsctl/installed.h"
#include "kmsctl/plan/plan.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"
#include "policy/pack.h"

enum kind { PACK, KEY, CONFIRMATION, KINDS };

/* In the order in which kmsd takes them. */
static const struct {
	const char *name, *why;
	uint16_t verb;
} kinds[KINDS] = {
	[PACK] = { "policy", "it defines what may be activated", CONTROL_POLICY_INSTALL },
	[KEY] = { "host key", "it defines what was bought", CONTROL_KEY_INSTALL },
	[CONFIRMATION] = { "confirmation", "without it this host activates nothing",
	    CONTROL_KEY_CONFIRM },
};

/* Of one publisher. */
struct look {
	struct plan *p;
	const struct config_publisher *publisher;
	unsigned index;
	const struct installed *list, *in;
	const char *cannot;         /* install anything: what is to be done first; NULL: can */
	const char *first;          /* the same for this publisher */
	const struct reply *status; /* of a running kmsd, or empty */
	const char *host_id;        /* in hexadecimal; NULL: not known */
	uint64_t now;
	bool confirmed;  /* this host, by what is installed */
	uint8_t key[16]; /* that the file host_key holds, when it is or can be installed */
	bool have_key;
};

/* A file and its signature, in one piece of memory. */
struct given {
	struct control_buf args;
	const char *file, *signature;
	size_t len, signature_len;
};

static const char *
path_of(const struct config_publisher *publisher, enum kind kind)
{
	const char *const paths[KINDS] = { publisher->policy, publisher->host_key,
		publisher->confirmation };

	return paths[kind];
}

static void
date(char out[16], uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
		snprintf(out, 16, "?");
}

static struct difference *
add(const struct look *l, enum kind kind)
{
	return plan_add(l->p, (int)(l->index * KINDS + kind), kinds[kind].why, "%s %s",
	    l->publisher->name, kinds[kind].name);
}

/* What only the administrator can put right, by due. */
static void __attribute__((format(printf, 4, 5)))
tell(const struct look *l, enum kind kind, const char *due, const char *fmt, ...)
{
	struct difference *d = add(l, kind);
	va_list ap;

	d->by_hand = true;
	snprintf(d->due, sizeof(d->due), "%s", due);
	va_start(ap, fmt);
	vsnprintf(d->is, sizeof(d->is), fmt, ap);
	va_end(ap);
}

/* What apply can install. */
static void __attribute__((format(printf, 3, 4)))
offer(const struct look *l, enum kind kind, const char *fmt, ...)
{
	struct difference *d = add(l, kind);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->is, sizeof(d->is), fmt, ap);
	va_end(ap);
	d->by_hand = l->first != NULL;
	if (l->first != NULL)
		snprintf(d->due, sizeof(d->due), "%s, then kmsctl apply", l->first);
	else
		snprintf(
		    d->due, sizeof(d->due), "installed from %.200s", path_of(l->publisher, kind));
}

/* The publisher's file, his by its signature. False: it has been told. */
static bool
take(const struct look *l, enum kind kind, struct given *g)
{
	const struct minisig_key *signer;
	struct fault f = { 0 };
	char path[512];
	struct control_field field;
	struct control_reader r;
	int rc = KMS_E_ARGUMENT;

	memset(g, 0, sizeof(*g));
	if (plan_path(l->p, path, path_of(l->publisher, kind)))
		rc = signed_read_quietly(path, &g->args, &f);
	if (rc == KMS_OK && g->args.bad)
		rc = KMS_E_TOO_LARGE;
	if (rc != KMS_OK) {
		tell(l, kind,
		    kind == CONFIRMATION && rc == KMS_E_NOT_FOUND
			? "run kmsctl key request, and put the publisher's answer there"
			: "put the publisher's file there, with its .minisig beside it",
		    "%.150s", fault_text(&f, rc));
		return false;
	}
	control_reader_init(&r, g->args.data, g->args.len);
	while (control_next(&r, &field)) {
		if (control_field_is(&field, 'b', "file")) {
			g->file = (const char *)field.value;
			g->len = field.value_len;
		} else {
			g->signature = (const char *)field.value;
			g->signature_len = field.value_len;
		}
	}
	rc = installed_verify(
	    l->in, kind == KEY, g->file, g->len, g->signature, g->signature_len, &signer);
	if (rc == KMS_OK && l->in->rotated && !rotation_accepts(&l->in->rotation, signer, l->now))
		tell(l, kind, "ask the publisher for a file signed with the other key",
		    "signed with a key of the publisher that is not accepted now");
	else if (rc == KMS_OK)
		return true;
	else
		tell(l, kind, "ask the publisher for the file again", "%.90s: %s", path,
		    rc == KMS_E_PUBLISHER   ? "signed by another publisher"
		    : rc == KMS_E_SIGNATURE ? "changed after it was signed"
					    : "its .minisig is not a signature");
	return false;
}

static void
tell_malformed(const struct look *l, enum kind kind, const struct fault *err)
{
	tell(l, kind, "ask the publisher for the file again", "%.60s:%d: %.80s",
	    path_of(l->publisher, kind), err->line, err->text);
}

/* A damaged one is as none: kmsd leaves it out from its next start on. */
static const char *
without_pack(const struct look *l)
{
	return l->in->bad_pack[0] != '\0' ? l->in->bad_pack : "none is installed";
}

static void
compare_pack(const struct look *l, const struct policy_pack *pack, const struct given *g)
{
	const struct policy_pack *old = l->in->pack;
	const struct installed *other;
	char is[100];
	const char *product = "";
	uint8_t digest[32];
	int rc = policy_pack_succeeds(pack, old);

	if (old != NULL)
		snprintf(
		    is, sizeof(is), "%.64s %u.%u is installed", old->id, old->major, old->minor);
	else
		snprintf(is, sizeof(is), "%.99s", without_pack(l));
	crypto_hash_sha256(digest, (const uint8_t *)g->file, g->len);
	other = installed_claims(l->list, l->p->ctl->config.publisher_count, l->in, pack, &product);
	if (old != NULL && memcmp(digest, l->in->digest, sizeof(digest)) == 0)
		return;
	if (rc == KMS_E_OLDER)
		tell(l, PACK, "set policy to a newer pack, or remove the key",
		    "%s, the file is %u.%u, which is older", is, pack->major, pack->minor);
	else if (rc == KMS_E_EXISTS)
		tell(l, PACK, "ask the publisher: a changed pack must have another version",
		    "%s, the file is a different pack of the same version", is);
	else if (rc == KMS_E_PREREQUISITE)
		tell(l, PACK,
		    "install that pack first (kmsctl policy install), then run kmsctl apply",
		    "%s, the file is %.30s %u.%u, which needs %s first", is, pack->id, pack->major,
		    pack->minor, pack->requires_count > 0 ? pack->requires_any[0] : "another");
	else if (other != NULL)
		tell(l, PACK, "ask the publishers: a product may belong to only one of them",
		    "its product %.40s belongs to publisher %.40s", product, other->name);
	else
		offer(l, PACK, "%s, the file is %u.%u", is, pack->major, pack->minor);
}

static void
look_at_pack(const struct look *l)
{
	struct policy_pack *pack = malloc(sizeof(*pack));
	struct fault err = { 0 };
	struct given g = { 0 };

	if (path_of(l->publisher, PACK)[0] == '\0' && l->in->pack == NULL) {
		tell(l, PACK,
		    "run kmsctl policy install FILE, or set policy to the file in kms.ini",
		    "%.150s", without_pack(l));
	} else if (path_of(l->publisher, PACK)[0] != '\0' && pack != NULL && take(l, PACK, &g)) {
		if (policy_pack_parse(pack, g.file, g.len, &err) == KMS_OK)
			compare_pack(l, pack, &g);
		else
			tell_malformed(l, PACK, &err);
	}
	control_buf_free(&g.args);
	free(pack);
}

static const struct installed_key *
installed_key(const struct installed *in, const uint8_t id[16])
{
	for (unsigned i = 0; i < in->key_count; i++)
		if (memcmp(in->keys[i].key.id, id, 16) == 0)
			return &in->keys[i];
	return NULL;
}

static bool
signed_for(const struct installed *in, const uint8_t publisher[8])
{
	return memcmp(publisher, in->key.id, 8) == 0 ||
	       (in->rotated &&
		   memcmp(publisher, rotation_other(&in->rotation, &in->key)->id, 8) == 0);
}

static void
compare_key(struct look *l, const struct host_key *key, const struct given *g)
{
	const struct installed_key *have = installed_key(l->in, key->id);
	uint8_t digest[32];
	char day[16];

	crypto_hash_sha256(digest, (const uint8_t *)g->file, g->len);
	date(day, key->not_after);
	memcpy(l->key, key->id, sizeof(l->key));
	l->have_key = have != NULL;
	if (have != NULL && memcmp(have->digest, digest, sizeof(digest)) == 0)
		return;
	if (have != NULL) {
		tell(l, KEY, "if the file is the right one: kmsctl key remove, then kmsctl apply",
		    "another key of the same number is installed");
	} else if (!signed_for(l->in, key->publisher)) {
		tell(l, KEY, "ask the publisher for the file again",
		    "it names another publisher than the one that signed it");
	} else if (key->not_after < l->now) {
		tell(l, KEY, "ask the publisher for a new key, and put it there",
		    "not installed, and expired on %s", day);
	} else {
		offer(l, KEY, "not installed: for %.40s, group %s, to %s", key->customer,
		    key->group, day);
		l->have_key = true;
	}
}

static void
look_at_key(struct look *l)
{
	struct fault err = { 0 };
	struct given g = { 0 };
	struct host_key key;

	if (path_of(l->publisher, KEY)[0] == '\0') {
		if (l->in->key_count == 0)
			tell(l, KEY,
			    "run kmsctl key install FILE, or set host_key to the file in kms.ini",
			    "none is installed");
	} else if (take(l, KEY, &g)) {
		if (host_key_parse(&key, g.file, g.len, &err) == KMS_OK)
			compare_key(l, &key, &g);
		else
			tell_malformed(l, KEY, &err);
	}
	control_buf_free(&g.args);
}

static const char *
unconfirmed(const struct look *l)
{
	return l->in->bad_certificate[0] != '\0' ? l->in->bad_certificate
						 : "this host is not confirmed";
}

static void
compare_confirmation(
    const struct look *l, const struct certificate *cert, const uint8_t *octets, size_t len)
{
	const struct installed *in = l->in;
	char host[33], day[16];

	hex_format(host, cert->host_id, 16);
	date(day, cert->not_after);
	if (l->confirmed && in->certificate_len == len &&
	    memcmp(in->certificate_octets, octets, len) == 0)
		return;
	if (l->host_id != NULL && strcmp(host, l->host_id) != 0)
		tell(l, CONFIRMATION,
		    "run kmsctl key request, and put the publisher's answer there",
		    "the file confirms another host, %s", host);
	else if (installed_key(in, cert->host_key_id) == NULL &&
		 !(l->have_key && memcmp(cert->host_key_id, l->key, 16) == 0))
		tell(l, CONFIRMATION, "set host_key to the file of that key in kms.ini",
		    "the host key that it confirms is not installed");
	else if (cert->not_after < l->now)
		tell(l, CONFIRMATION,
		    "run kmsctl key request, and put the publisher's answer there",
		    "not installed, and expired on %s", day);
	else if (l->confirmed && cert->issued < in->certificate.issued)
		tell(l, CONFIRMATION, "put the newer file there, or remove the key from kms.ini",
		    "serial %" PRIu64 " is installed, the file is %" PRIu64 ", which is older",
		    in->certificate.serial, cert->serial);
	else if (l->confirmed)
		offer(l, CONFIRMATION, "serial %" PRIu64 " is installed, the file is %" PRIu64,
		    in->certificate.serial, cert->serial);
	else
		offer(l, CONFIRMATION, "%.120s, the file is serial %" PRIu64, unconfirmed(l),
		    cert->serial);
}

/* No file: is the host confirmed for the key that it has, or is about to have? */
static void
look_without_confirmation(const struct look *l)
{
	bool other =
	    l->have_key && l->confirmed && memcmp(l->in->certificate.host_key_id, l->key, 16) != 0;
	char due[120], id[37] = "";

	if (l->confirmed && !other)
		return;
	if (l->have_key && l->in->key_count > 0)
		uuid_format(id, l->key);
	snprintf(due, sizeof(due), "kmsctl key request%s%s, then kmsctl key confirm FILE.kmscert",
	    id[0] ? " " : "", id);
	if (other)
		tell(l, CONFIRMATION, due, "this host is confirmed for another host key");
	else if (l->have_key || l->in->key_count > 0)
		tell(l, CONFIRMATION, due, "%.150s", unconfirmed(l));
}

static void
look_at_confirmation(const struct look *l)
{
	uint8_t octets[CERTIFICATE_MAX];
	struct fault err = { 0 };
	struct certificate cert;
	struct given g = { 0 };
	size_t len;

	if (path_of(l->publisher, CONFIRMATION)[0] == '\0') {
		look_without_confirmation(l);
	} else if (take(l, CONFIRMATION, &g)) {
		if (certificate_file_parse(octets, sizeof(octets), &len, g.file, g.len, &err) !=
		    KMS_OK)
			tell_malformed(l, CONFIRMATION, &err);
		else if (installed_verify_certificate(l->in, &cert, octets, len) != KMS_OK)
			tell(l, CONFIRMATION, "ask the publisher for the file again",
			    "the certificate in it was not signed by the publisher");
		else
			compare_confirmation(l, &cert, octets, len);
	}
	control_buf_free(&g.args);
}

/* Who would take a file, and who it is: from a kmsd that runs. */
static void
look_at_host(struct look *l, struct reply *status)
{
	const struct reply_row *row;
	uint64_t locked = 0;
	int rc = KMS_E_NOT_RUNNING;

	if (l->p->root[0] == '\0')
		rc = ask_quietly(l->p->ctl, CONTROL_STATUS, NULL, status, NULL);
	row = rc == KMS_OK ? reply_next(status, "service", NULL) : NULL;
	l->host_id = reply_text(row, "host-id");
	reply_number(row, "locked", &locked);
	if (l->p->root[0] != '\0')
		l->cannot = "start the machine";
	else if (rc == KMS_E_NOT_RUNNING)
		l->cannot = plan_systemd(l->p) ? NULL : "start kmsd";
	else if (rc == KMS_E_DENIED)
		l->cannot = "run this as root or as a member of control_group";
	else if (rc != KMS_OK)
		l->cannot = "find out what is wrong with kmsd (kmsctl status)";
	else
		l->cannot = locked ? "kmsctl unlock" : NULL;
}

static int
open_state(const struct plan *p, struct fault *f)
{
	char path[512];
	int fd;

	if (!plan_path(p, path, p->ctl->config.state_directory))
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno != ENOENT)
		fault_errno(f, errno, "%s", path);
	return fd;
}

static void
look_at_publisher(struct look *l)
{
	char host[33];

	l->publisher = &l->p->ctl->config.publishers[l->index];
	l->in = &l->list[l->index];
	l->have_key = false;
	l->first = l->cannot;
	if (l->first == NULL && l->status->count > 0 && !plan_systemd(l->p) &&
	    !plan_knows(l->status, l->publisher))
		l->first = "reload kmsd";
	hex_format(host, l->in->certificate.host_id, 16);
	l->confirmed = l->in->confirmed && (l->host_id == NULL || strcmp(l->host_id, host) == 0);
	look_at_pack(l);
	look_at_key(l);
	look_at_confirmation(l);
}

static int
inspect(struct plan *p, struct fault *f)
{
	const struct config *c = &p->ctl->config;
	struct installed *list = NULL;
	struct reply status = { 0 };
	struct look l = { .p = p, .status = &status, .now = (uint64_t)time(NULL) };
	struct difference *d;
	char why[256] = "";
	int fd, rc;

	/* One that only relays needs none. */
	if (c->publisher_count == 0 && relay_configured(c))
		return KMS_OK;
	if (c->publisher_count == 0) {
		d = plan_add(p, 0, "no product is activated", "[publisher]");
		d->by_hand = true;
		snprintf(d->is, sizeof(d->is), "kms.ini has none");
		snprintf(d->due, sizeof(d->due), "add [publisher NAME] and its key to kms.ini");
		return KMS_OK;
	}
	fd = open_state(p, f);
	if (fd == -1 && f->status != KMS_OK)
		return f->status;
	rc = installed_read(&list, fd, c, why); /* with -1 nothing is there */
	if (fd != -1)
		close(fd);
	l.list = list;
	if (rc != KMS_E_NO_MEMORY && rc != KMS_E_CONFIG)
		rc = KMS_OK; /* bad files are told one by one */
	if (rc != KMS_OK)
		fault_set(f, rc, "%s", why);
	if (rc == KMS_OK)
		look_at_host(&l, &status);
	for (l.index = 0; rc == KMS_OK && l.index < c->publisher_count; l.index++)
		look_at_publisher(&l);
	reply_free(&status);
	installed_free(list, list != NULL ? c->publisher_count : 0);
	return rc;
}

static int
mend(struct plan *p, const struct difference *d, struct fault *f)
{
	enum kind kind = (enum kind)(d->tag % KINDS);
	const struct config_publisher *publisher = &p->ctl->config.publishers[d->tag / KINDS];

	return (int)install_file(p->ctl, kinds[kind].verb, path_of(publisher, kind), f);
}

const struct aspect aspect_installed = { .name = "publishers", .inspect = inspect, .mend = mend };
