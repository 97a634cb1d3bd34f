/*
 * finish.c - see finish.h.
 */
#include "kmsctl/setup/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/contacts.h"
#include "kmsctl/host/install.h"
#include "kmsctl/plan/plan.h"
#include "libkms/base/file.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

/* -- installing -- */

/* Each needs the ones before it: a key that is rotated signs packs, a confirmation needs its key.
 */
static const struct {
	enum publisher_file_kind kind;
	uint16_t verb;
} order[] = {
	{ FILE_ROTATION, CONTROL_PUBLISHER_ROTATE },
	{ FILE_PACK, CONTROL_POLICY_INSTALL },
	{ FILE_KEY, CONTROL_KEY_INSTALL },
	{ FILE_CERTIFICATE, CONTROL_KEY_CONFIRM },
	{ FILE_REVOCATIONS, CONTROL_REVOCATIONS_INSTALL },
};

/* Is kmsd there, and does it know the publisher? */
static int
await_kmsd(struct ctl *ctl, const struct verdict *v)
{
	const struct config_publisher *publisher;
	struct reply status = { 0 };
	uint64_t locked = 0;
	struct fault f = { 0 };
	int rc = ask_quietly(ctl, CONTROL_STATUS, NULL, &status, &f), code = CTL_OK;

	reply_number(reply_next(&status, "service", NULL), "locked", &locked);
	publisher = plan_unread(&status, &ctl->config);
	if (rc == KMS_E_NOT_RUNNING)
		code = fail_told(ctl, (uint32_t)rc,
		    "kms.ini is written, but kmsd is not running: start it, then run the same command again");
	else if (rc != KMS_OK)
		code = fail_fault(ctl, &f);
	else if (locked)
		code = fail_told(ctl, KMS_E_LOCKED,
		    "kms.ini is written, but the host's keys are locked: kmsctl unlock, then run the same command again");
	else if (v->publisher != NULL && publisher != NULL)
		code = fail(ctl, KMS_E_CONFIG,
		    "kms.ini is written, but kmsd has not read [publisher %s] yet: kill -HUP $(cat %s/kmsd.pid), then run the same command again",
		    publisher->name, ctl->config.runtime_directory);
	reply_free(&status);
	return code;
}

/* Prints what kmsd says it is. */
static int
install(struct ctl *ctl, const struct sent_file *s, uint16_t verb)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	struct fault f = { 0 };
	const char *what;
	int rc;

	if (s->is.kind == SENT_CONFIRMATION_CODE)
		control_octets(&args, "code", s->code, s->code_len);
	else
		install_put(&args, &s->file);
	rc = ask_quietly(ctl, verb, &args, &reply, &f);
	what = reply_text(reply_next(&reply, "installed", NULL), "what");
	if (rc == KMS_OK && ctl->json) {
		output_row(ctl->out);
		output_text(ctl->out, "file", NULL, s->path);
		output_text(ctl->out, "what", NULL, what);
	} else if (rc == KMS_OK) {
		output_line(ctl->out, OUTPUT_GOOD, "Installed: %s", what != NULL ? what : s->path);
	}
	control_buf_free(&args);
	reply_free(&reply);
	fault_prefix(&f, "%s: ", s->path);
	return rc == KMS_OK ? CTL_OK : fail_fault(ctl, &f);
}

static bool
is_of(const struct sent_file *s, enum publisher_file_kind kind)
{
	if (s->is.kind == SENT_CONFIRMATION_CODE)
		return kind == FILE_CERTIFICATE;
	if (s->is.kind == SENT_KEY_CODE)
		return kind == FILE_KEY;
	return s->is.kind == SENT_SIGNED && s->is.file == kind;
}

int
finish_install(struct ctl *ctl, const struct verdict *v, const struct sent *s)
{
	int code = await_kmsd(ctl, v);

	if (code != CTL_OK)
		return code;
	output_list(ctl->out, "installed", NULL);
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		for (unsigned i = 0; code == CTL_OK && i < s->count; i++)
			if (s->list[i].state == SENT_USED && is_of(&s->list[i], order[k].kind))
				code = install(ctl, &s->list[i], order[k].verb);
	if (code == CTL_OK)
		output_end(ctl->out);
	return code;
}

/* -- the request -- */

/* The publisher's host key to go on with: the one that was sent, a confirmed one, or any. */
static const struct reply_row *
choose_key(const struct reply *keys, const struct verdict *v)
{
	const struct reply_row *row = NULL, *found = NULL;
	char wanted[37] = "";

	if (v->host_key != NULL)
		uuid_format(wanted, v->host_key->key_id);
	while ((row = reply_next(keys, "key", row)) != NULL) {
		const char *id = reply_text(row, "id"), *owner = reply_text(row, "publisher");
		uint64_t confirmed = 0;

		if (id == NULL || owner == NULL ||
		    (v->publisher != NULL && strcmp(owner, v->name) != 0))
			continue;
		reply_number(row, "confirmed", &confirmed);
		if (wanted[0] != '\0' && strcasecmp(id, wanted) == 0)
			return row;
		if (found == NULL || confirmed)
			found = row;
	}
	return found;
}

/* A file of that name may be somebody else's. */
static bool
may_replace(const char *path)
{
	struct recognised is;
	char *text;
	size_t len;
	int rc = file_read(AT_FDCWD, path, FILE_GIVEN, SIGNED_FILE_MAX, &text, &len);

	if (rc != KMS_OK)
		return rc == KMS_E_NOT_FOUND;
	recognise(&is, text, len);
	free(text);
	return is.kind == SENT_REQUEST;
}

static int
write_request(
    struct ctl *ctl, const struct verdict *v, const char *given, const char *text, char path[128])
{
	int rc;

	snprintf(path, 128, "%s", given);
	if (given[0] == '\0')
		snprintf(path, 128, "%s.kmsreq", v->publisher != NULL ? v->name : "host");
	if (given[0] == '\0' && !may_replace(path))
		return fail(ctl, KMS_E_EXISTS,
		    "%s is there already and is not a request: name another file with --output",
		    path);
	rc = file_write(AT_FDCWD, path, text, strlen(text), 0644, true);
	return rc == KMS_OK ? CTL_OK
			    : fail(ctl, (uint32_t)rc,
				  "%s: cannot be written: %s; name another file with --output",
				  path, strerror(errno));
}

static int
show_request(struct ctl *ctl, const struct verdict *v, const struct reply *reply, const char *given)
{
	const struct reply_row *row = reply_next(reply, "request", NULL);
	const char *text = reply_text(row, "text"), *id = reply_text(row, "installation-id");
	char path[128];
	int code;

	if (text == NULL || id == NULL)
		return fail(ctl, KMS_E_FORMAT, "the host's answer contains no request");
	if ((code = write_request(ctl, v, given, text, path)) != CTL_OK)
		return code;
	output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	output_text(ctl->out, "request", "Request", path);
	output_text(ctl->out, "installation_id", "Installation id", id);
	contacts_print(ctl->out, reply, "");
	output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Next: send %s to the publisher, or give the installation id by phone.", path);
	output_line(ctl->out, OUTPUT_PLAIN,
	    "The answer is a file (kmsctl setup FILE.kmscert) or a code (kmsctl key confirm).");
	return CTL_OK;
}

static int
make_request(
    struct ctl *ctl, const struct verdict *v, const struct reply_row *key, const char *given)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	int code;

	control_text(&args, "key", reply_text(key, "id"));
	code = ask_host(ctl, CONTROL_KEY_REQUEST, &args, &reply);
	if (code == CTL_OK)
		code = show_request(ctl, v, &reply, given);
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

static void
show_confirmed(struct ctl *ctl, const struct reply_row *key)
{
	uint64_t products = 0;
	const char *owner = reply_text(key, "publisher");

	reply_number(key, "products", &products);
	output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	output_line(ctl->out, OUTPUT_GOOD,
	    "This host is confirmed and activates %llu product%s of %s.",
	    (unsigned long long)products, products == 1 ? "" : "s", owner);
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Next: kmsctl dns show (or publish), so that clients find it; then kmsctl doctor");
}

int
finish_request(struct ctl *ctl, const struct verdict *v, const char *path)
{
	const struct reply_row *key;
	struct reply keys = { 0 };
	uint64_t confirmed = 0;
	int code = ask_host(ctl, CONTROL_KEY_SHOW, NULL, &keys);

	if (code == CTL_OK) {
		key = choose_key(&keys, v);
		reply_number(key, "confirmed", &confirmed);
		output_bool(ctl->out, "confirmed", NULL, confirmed != 0);
		if (key == NULL)
			output_line(ctl->out, OUTPUT_WARN,
			    "Next: there is no host key yet. Ask the publisher for one, then run kmsctl setup FILE.kmskey");
		else if (confirmed)
			show_confirmed(ctl, key);
		else
			code = make_request(ctl, v, key, path != NULL ? path : "");
	}
	reply_free(&keys);
	return code;
}
