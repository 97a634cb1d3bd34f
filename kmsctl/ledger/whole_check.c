/*
 * whole_check.c - see whole_check.h.
 */
#include "kmsctl/ledger/whole_check.h"

#include <stdio.h>
#include <string.h>

#include "kmsctl/host/install.h"
#include "kmsctl/ledger/journal_host.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

struct whole {
	uint8_t sign_pk[32];
	bool own;
	int first; /* problem; KMS_OK: none */
	void (*report)(int status, const char *line, void *arg);
	void *arg;
};

static void
problem(struct whole *w, int status, const char *line)
{
	if (w->first == KMS_OK)
		w->first = status;
	w->report(status, line, w->arg);
}

/* Without keys/host.key, the first certificate names the host. */
static void
look_at_certificate(struct whole *w, const struct publisher *p)
{
	char line[300], theirs[33];

	if (!p->confirmed)
		return;
	if (!w->own) {
		memcpy(w->sign_pk, p->certificate.sign_pk, sizeof(w->sign_pk));
		w->own = true;
	}
	if (memcmp(w->sign_pk, p->certificate.sign_pk, sizeof(w->sign_pk)) == 0)
		return;
	hex_format(theirs, p->certificate.host_id, 16);
	snprintf(line, sizeof(line),
	    "certs: the installed certificate of publisher %s is for host %s, but keys/host.key belongs to another host: ask for a new certificate with kmsctl key request",
	    p->name, theirs);
	problem(w, KMS_E_UNKNOWN_HOST, line);
}

static void
find_keys(struct whole *w, struct ctl *ctl, int fd)
{
	struct publishers publishers;
	struct fault fault = { 0 };
	int rc = journal_host_key(w->sign_pk, fd, ctl->config.state_directory, &fault);

	w->own = rc == KMS_OK;
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		problem(w, rc, fault_text(&fault, rc));
	if (install_publishers(ctl, &publishers, NULL) != KMS_OK)
		return;
	publishers.dirfd = fd;
	publishers_read(&publishers, NULL, NULL);
	for (unsigned i = 0; i < publishers.count; i++)
		look_at_certificate(w, &publishers.list[i]);
	publishers_free(&publishers);
}

int
whole_check(struct ctl *ctl, int fd, bool *own, uint64_t *erased,
    void (*report)(int status, const char *line, void *arg), void *arg)
{
	struct whole w = { .report = report, .arg = arg };
	int rc;

	find_keys(&w, ctl, fd);
	*own = w.own;
	rc = kmsdb_check(fd, w.own ? w.sign_pk : NULL, erased, report, arg);
	return rc != KMS_OK ? rc : w.first;
}
