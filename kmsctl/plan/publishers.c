/*
 * publishers.c - what publishers send: policy pack, host key and confirmation. A file that
 * [publisher NAME] names is checked as kmsd checks it, against what is installed, and installed
 * through the running kmsd as the commands do. What no file is named for is the administrator's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/install.h"
#include "kmsctl/plan/plan.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

enum kind { PACK, KEY, CONFIRMATION, KINDS };

/* In the order in which kmsd accepts them. */
static const struct {
	enum publisher_file_kind file;
	const char *name, *why, *missing;
	uint16_t verb;
} kinds[KINDS] = {
	[PACK] = { FILE_PACK, "policy", "it defines what may be activated",
	    "put the publisher's file there, with its .minisig beside it", CONTROL_POLICY_INSTALL },
	[KEY] = { FILE_KEY, "host key", "it defines what was bought",
	    "put the publisher's file there, with its .minisig beside it", CONTROL_KEY_INSTALL },
	[CONFIRMATION] = { FILE_CERTIFICATE, "confirmation",
	    "without it this host activates nothing",
	    "run kmsctl key request, and put the publisher's answer there", CONTROL_KEY_CONFIRM },
};

/* What the administrator does about a file that cannot be installed. */
static const struct {
	enum kind kind; /* KINDS: any */
	int status;
	const char *due;
} remedies[] = {
	{ PACK, KMS_E_OLDER, "in kms.ini, set policy to a newer pack, or remove that line" },
	{ PACK, KMS_E_PREREQUISITE,
	    "first install the other pack (kmsctl policy install) or the newer kmsd that the message names; then run kmsctl apply" },
	{ PACK, KMS_E_EXISTS, "ask the publisher: a changed pack must have another version" },
	{ KEY, KMS_E_EXISTS,
	    "if this file is the right one: kmsctl key remove, then kmsctl apply" },
	{ KEY, KMS_E_KEY_EXPIRED, "ask the publisher for a new key, and replace the file" },
	{ KEY, KMS_E_KEY_INVALID, "ask the publisher for a new key, and replace the file" },
	{ KEY, KMS_E_LIMIT, "kmsctl key remove, then kmsctl apply" },
	{ CONFIRMATION, KMS_E_UNKNOWN_HOST,
	    "run kmsctl key request, and put the publisher's answer there" },
	{ CONFIRMATION, KMS_E_KEY_EXPIRED,
	    "run kmsctl key request, and put the publisher's answer there" },
	{ CONFIRMATION, KMS_E_NOT_ENABLED, "set host_key to the file of that key in kms.ini" },
	{ CONFIRMATION, KMS_E_OLDER,
	    "put the newer file there, or remove the line confirmation from kms.ini" },
	{ KINDS, KMS_E_PUBLISHER,
	    "ask the publisher for a file signed with the publisher's current key" },
};

/* The first file of each kind that is left out: a damaged one is as none. */
struct left_out {
	char text[FILE_KINDS][160];
};

/* Of one publisher. */
struct look {
	struct plan *p;
	unsigned index;
	const struct config_publisher *config;
	struct publishers all;
	const struct publisher *in;
	struct left_out left_out[CONFIG_PUBLISHERS];
	const char *cannot;         /* install anything: what is to be done first; NULL: can */
	const char *first;          /* the same for this publisher */
	const struct reply *status; /* of a running kmsd, or empty */
	uint8_t host_id[16];
	uint64_t now;
	uint8_t key[16]; /* of the file host_key, when it is or can be installed */
	bool have_key;
};

static const char *
path_of(const struct config_publisher *publisher, enum kind kind)
{
	const char *const paths[KINDS] = { publisher->policy, publisher->host_key,
		publisher->confirmation };

	return paths[kind];
}

static struct difference *
add(const struct look *l, enum kind kind)
{
	return plan_add(l->p, (int)(l->index * KINDS + kind), kinds[kind].why, "%s %s",
	    l->config->name, kinds[kind].name);
}

/* What only the administrator can correct, by due. */
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

static void
tell_refused(const struct look *l, enum kind kind, int status, const struct fault *f)
{
	const char *due = "ask the publisher for the file again";

	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].status == status &&
		    (remedies[i].kind == kind || remedies[i].kind == KINDS))
			due = remedies[i].due;
	tell(l, kind, due, "%s", fault_text(f, status));
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
		snprintf(d->due, sizeof(d->due), "installed from %.200s", path_of(l->config, kind));
}

/* What is there in place of what is missing. */
static const char *
without(const struct look *l, enum kind kind)
{
	const char *damaged = l->left_out[l->index].text[kinds[kind].file];

	return damaged[0] != '\0'     ? damaged
	       : kind == CONFIRMATION ? "this host is not confirmed"
				      : "none is installed";
}

static void
offer_pack(const struct look *l, const struct publisher_file *c)
{
	const struct policy_pack *old = l->in->pack;

	if (old != NULL)
		offer(l, PACK, "%.64s %u.%u is installed, the file is %u.%u", old->id, old->major,
		    old->minor, c->pack->major, c->pack->minor);
	else
		offer(l, PACK, "%.99s, the file is %u.%u", without(l, PACK), c->pack->major,
		    c->pack->minor);
}

static void
offer_key(const struct look *l, const struct publisher_file *c)
{
	char when[OUTPUT_WHEN];

	offer(l, KEY, "not installed: for %.40s, group %s, until %s", c->key.customer, c->key.group,
	    output_when(when, c->key.not_after));
}

static void
offer_confirmation(const struct look *l, const struct publisher_file *c)
{
	if (l->in->confirmed)
		offer(l, CONFIRMATION, "serial %" PRIu64 " is installed, the file is %" PRIu64,
		    l->in->certificate.serial, c->certificate.serial);
	else
		offer(l, CONFIRMATION, "%.120s, the file is serial %" PRIu64,
		    without(l, CONFIRMATION), c->certificate.serial);
}

static bool
read_file(const struct look *l, enum kind kind, struct signed_file *file)
{
	struct fault f = { 0 };
	char path[512];
	int rc = KMS_E_TOO_LARGE;

	if (plan_path(l->p, path, path_of(l->config, kind)))
		rc = signed_file_read(file, AT_FDCWD, path, FILE_GIVEN, &f);
	if (rc == KMS_OK)
		return true;
	tell(l, kind, rc == KMS_E_NOT_FOUND ? kinds[kind].missing : kinds[PACK].missing, "%s",
	    fault_text(&f, rc));
	return false;
}

/* One that could be installed counts as installed from here on: the next kind builds on it. */
static void
take(struct look *l, enum kind kind, struct publisher_file *c)
{
	static void (*const offers[KINDS])(const struct look *, const struct publisher_file *) = {
		[PACK] = offer_pack, [KEY] = offer_key, [CONFIRMATION] = offer_confirmation
	};
	struct fault f = { 0 };
	int rc = publisher_file_read(&l->all, c, &f);

	if (rc == KMS_OK && c->publisher != l->in)
		rc = fault_set(&f, KMS_E_PUBLISHER, "signed by publisher %s", c->publisher->name);
	if (rc == KMS_OK && !c->installed)
		rc = publisher_file_check(&l->all, c, l->now, &f);
	if (kind == KEY && (rc == KMS_OK || rc == KMS_E_EXISTS)) {
		memcpy(l->key, c->key.id, sizeof(l->key));
		l->have_key = true;
	}
	if (rc == KMS_OK && !c->installed) {
		offers[kind](l, c);
		publisher_file_adopt(c);
	} else if (rc == KMS_E_EXISTS && kind == PACK &&
		   policy_pack_succeeds(c->pack, l->in->pack) == KMS_OK) {
		tell(l, kind, "ask the publishers: a product may belong to only one of them", "%s",
		    f.text);
	} else if (rc != KMS_OK) {
		tell_refused(l, kind, rc, &f);
	}
}

/* -- no file is named -- */

/* Is the host confirmed for the key that it has, or is about to have? */
static void
look_without_confirmation(const struct look *l)
{
	bool other = l->have_key && l->in->confirmed &&
		     memcmp(l->in->certificate.host_key_id, l->key, 16) != 0;
	char due[120], id[37] = "";

	if ((l->in->confirmed && !other) || l->in->key_count == 0)
		return;
	if (l->have_key)
		uuid_format(id, l->key);
	snprintf(due, sizeof(due), "kmsctl key request%s%s, then kmsctl key confirm FILE.kmscert",
	    id[0] ? " " : "", id);
	tell(l, CONFIRMATION, due, "%s",
	    other ? "this host is confirmed for another host key" : without(l, CONFIRMATION));
}

static void
look_without(const struct look *l, enum kind kind)
{
	if (kind == PACK && l->in->pack == NULL)
		tell(l, PACK,
		    "run kmsctl policy install FILE, or set policy to the file in kms.ini", "%s",
		    without(l, PACK));
	else if (kind == KEY && l->in->key_count == 0)
		tell(l, KEY, "run kmsctl key install FILE, or set host_key to the file in kms.ini",
		    "none is installed");
	else if (kind == CONFIRMATION)
		look_without_confirmation(l);
}

static void
look_at(struct look *l, enum kind kind)
{
	struct signed_file file = { 0 };
	struct publisher_file c;

	if (path_of(l->config, kind)[0] == '\0') {
		look_without(l, kind);
	} else if (read_file(l, kind, &file)) {
		c = publisher_file_of(kinds[kind].file, &file);
		take(l, kind, &c);
		publisher_file_free(&c);
	}
	signed_file_free(&file);
}

/* -- the host -- */

/* Which host would accept a file: asks a running kmsd. */
static void
look_at_host(struct look *l, struct reply *status)
{
	const struct reply_row *row;
	const char *host_id;
	uint64_t locked = 0;
	int rc = KMS_E_NOT_RUNNING;

	if (l->p->root[0] == '\0')
		rc = ask_quietly(l->p->ctl, CONTROL_STATUS, NULL, status, NULL);
	row = rc == KMS_OK ? reply_next(status, "service", NULL) : NULL;
	host_id = reply_text(row, "host-id");
	if (host_id != NULL && hex_parse(l->host_id, sizeof(l->host_id), host_id))
		l->all.host_id = l->host_id;
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
keep_left_out(
    const struct publisher *p, enum publisher_file_kind kind, const struct fault *f, void *arg)
{
	struct look *l = arg;
	char *text = l->left_out[p - l->all.list].text[kind];

	if (text[0] == '\0')
		snprintf(text, sizeof(l->left_out[0].text[0]), "%.159s", f->text);
}

static void
look_at_publisher(struct look *l)
{
	l->config = &l->p->ctl->config.publishers[l->index];
	l->in = &l->all.list[l->index];
	l->have_key = false;
	l->first = l->cannot;
	if (l->first == NULL && l->status->count > 0 && !plan_systemd(l->p) &&
	    !plan_knows(l->status, l->config))
		l->first = "reload kmsd";
	for (enum kind kind = PACK; kind < KINDS; kind++)
		look_at(l, kind);
}

static void
tell_no_publisher(struct plan *p)
{
	struct difference *d =
	    plan_add(p, 0, "without a publisher, no product is activated", "[publisher]");

	d->by_hand = true;
	snprintf(d->is, sizeof(d->is), "kms.ini has no such section");
	snprintf(d->due, sizeof(d->due), "kmsctl setup FOLDER, with what the publisher sent");
}

static int
inspect(struct plan *p, struct fault *f)
{
	const struct config *c = &p->ctl->config;
	struct reply status = { 0 };
	struct look *l;
	int fd, rc;

	/* A host that only relays needs none. */
	if (c->publisher_count == 0 && !relay_configured(c))
		tell_no_publisher(p);
	if (c->publisher_count == 0)
		return KMS_OK;
	fd = open_state(p, f);
	if (fd == -1 && f->status != KMS_OK)
		return f->status;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		rc = fault_set(f, KMS_E_NO_MEMORY, NULL);
	else if ((rc = install_publishers(p->ctl, &l->all, f)) == KMS_OK) {
		l->p = p;
		l->status = &status;
		l->now = (uint64_t)time(NULL);
		look_at_host(l, &status);
		l->all.dirfd = fd; /* with -1 nothing is there */
		publishers_read(&l->all, keep_left_out, l);
		for (; l->index < l->all.count; l->index++)
			look_at_publisher(l);
		publishers_free(&l->all);
	}
	if (fd != -1)
		close(fd);
	reply_free(&status);
	free(l);
	return rc;
}

static int
mend(struct plan *p, const struct difference *d, struct fault *f)
{
	enum kind kind = (enum kind)(d->tag % KINDS);
	const struct config_publisher *publisher = &p->ctl->config.publishers[d->tag / KINDS];

	return install_file(p->ctl, kinds[kind].verb, path_of(publisher, kind), f);
}

const struct aspect aspect_publishers = { .name = "publishers", .inspect = inspect, .mend = mend };
