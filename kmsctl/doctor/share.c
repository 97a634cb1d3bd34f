/*
 * share.c - doctor's checks of a host that counts together with others: what the running kmsd says
 * of its share, and the end of the certificates. engine.c asks etcd itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/share_words.h"
#include "kmsctl/share/certify.h"
#include "kmsctl/share/share_place.h"
#include "libkms/kms_error.h"

#define DAY 86400
#define CERTIFICATE_LEFT (30 * DAY)

static void
look_at_state(struct doctor *d, const struct reply_row *row)
{
	struct share_words w;
	uint64_t apart = 0;

	share_words(&w, row);
	doctor_find(d, "hosts", w.bad ? BAD : w.warn ? WARNING : GOOD, w.next, "%s", w.text);
	if (reply_number(row, "clocks-apart", &apart) && apart)
		doctor_find(d, "hosts", BAD, "timedatectl on each host: correct the wrong clock",
		    "the clocks of the hosts are more than 8 hours apart, so no new seats are given");
}

static void
look_at_member(struct doctor *d, const struct reply_row *row)
{
	char text[SHARE_WORDS_TEXT];
	const char *next;
	enum level level = BAD;

	switch (share_member_words(text, &next, row)) {
	case SHARE_MEMBER_WELL:
		level = GOOD;
		break;
	case SHARE_MEMBER_LATE:
		level = WARNING;
		break;
	case SHARE_MEMBER_APART:
		break;
	}
	doctor_find(d, "hosts", level, next, "%s", text);
}

void
doctor_share(struct doctor *d)
{
	const struct reply_row *row;
	struct reply reply;
	int rc;

	if (!share_configured(&d->ctl->config) || !d->running || d->locked)
		return;
	rc = ask_quietly(d->ctl, CONTROL_SHARE_STATUS, NULL, &reply, NULL);
	row = rc == KMS_OK ? reply_next(&reply, "share", NULL) : NULL;
	if (row == NULL) {
		doctor_find(
		    d, "hosts", BAD, "journalctl -u kmsd", "kmsd does not say what its share does");
	} else {
		look_at_state(d, row);
		for (row = NULL; (row = reply_next(&reply, "share-member", row)) != NULL;)
			look_at_member(d, row);
	}
	reply_free(&reply);
}

static void
look_at_certificate(struct doctor *d, const char *certificate, const char *key)
{
	static const char next[] =
	    "kmsctl share invite for this host, on the host that has the share's authority.key, then kmsctl share join here";
	const char *authority = d->ctl->config.share_authority;
	char when[OUTPUT_WHEN];
	struct fault f = { 0 };
	uint64_t end, now = (uint64_t)time(NULL);

	if (certify_check(authority, certificate, key, &f) != KMS_OK ||
	    certify_end(certificate, &end, &f) != KMS_OK)
		doctor_find(d, "tls", BAD,
		    f.status == KMS_E_NOT_FOUND ? "apt install openssl" : next, "%s", f.text);
	else
		doctor_find(d, "tls", end < now + CERTIFICATE_LEFT ? WARNING : GOOD,
		    end < now + CERTIFICATE_LEFT ? next : NULL, "%s ends on %.10s", certificate,
		    output_when(when, end));
}

void
doctor_share_certificates(struct doctor *d)
{
	const struct config *c = &d->ctl->config;
	const char *slash = strrchr(c->share_authority, '/');
	char directory[256], etcd[256], key[256];

	if (!share_configured(c))
		return;
	/* The keys are root's. */
	if (geteuid() != 0 && access(c->share_key, R_OK) != 0) {
		doctor_find(d, "tls", GOOD, NULL, "only root can check the certificates");
		return;
	}
	look_at_certificate(d, c->share_certificate, c->share_key);
	snprintf(directory, sizeof(directory), "%.*s",
	    slash == NULL ? 0 : (int)(slash - c->share_authority), c->share_authority);
	if (share_has(directory, SHARE_ETCD) && share_path(etcd, directory, SHARE_ETCD) &&
	    share_path(key, directory, SHARE_ETCD_KEY))
		look_at_certificate(d, etcd, key);
}
