/*
 * commands.c - the commands of kmsclient, one function each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libkms/kmsclient/tool.h"

static const char *const licence_words[] = {
	[KMS_UNLICENSED] = "unlicensed",
	[KMS_GRACE] = "grace",
	[KMS_ACTIVATED] = "activated",
	[KMS_RENEWAL_DUE] = "renewal due",
	[KMS_EXPIRED] = "expired",
	[KMS_CLOCK_BACK] = "clock moved back",
};

/* kms_open has no room for words: say here which file, and the way out. */
int
tool_open(struct tool *t, struct kms_client **c)
{
	char detail[512] = "";
	int rc = kms_open(c, &t->options);

	if (rc == KMS_OK)
		return TOOL_OK;
	if (rc == KMS_E_STATE || rc == KMS_E_SCHEMA)
		snprintf(detail, sizeof(detail),
		    "%s: left as it is; restore it from a backup, or move it aside and activate again as a new client",
		    t->options.state_file);
	else if (rc == KMS_E_EXISTS)
		snprintf(detail, sizeof(detail), "%s: another process is using it",
		    t->options.state_file);
	else if (rc == KMS_E_FORMAT)
		snprintf(detail, sizeof(detail),
		    "--publisher-key wants \"RW...\" of 56 characters, --product a UUID");
	else if (rc == KMS_E_IO || rc == KMS_E_DENIED || rc == KMS_E_FULL)
		snprintf(detail, sizeof(detail), "%s: %s", t->options.state_file, strerror(errno));
	rc = tool_status(t, (uint32_t)rc, detail);
	return rc == TOOL_REFUSED ? TOOL_LOCAL : rc;
}

static void
tell_licence(struct tool *t, struct kms_client *c)
{
	struct kms_status_info s = { .size = sizeof(s) };

	(void)kms_status(c, &s); /* fills s also when the time seen could not be written */
	tool_text(t, "licence", licence_words[s.licence]);
	tool_id(t, "client", s.cmid, false);
	tool_time(t, "expires", s.expires);
	tool_time(t, "renew-after", s.renew_after);
	tool_time(t, "next-attempt", s.next_attempt);
	if (t->json || s.expires == 0)
		tool_number(t, "grace-minutes-left", s.grace_left);
}

static int
talk(struct tool *t, int (*call)(struct kms_client *, struct kms_result *))
{
	struct kms_result r = { .size = sizeof(r) };
	struct kms_client *c;
	int rc;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	call(c, &r);
	rc = tool_status(t, r.status, r.detail);
	if (r.host[0] != '\0')
		tool_text(t, "host", r.host);
	if (t->json || r.required > 0) {
		tool_number(t, "count", r.count);
		tool_number(t, "required", r.required);
	}
	if (t->json || r.retry_after > 0)
		tool_number(t, "retry-after", r.retry_after);
	tell_licence(t, c);
	kms_close(c);
	return rc;
}

static int
command_activate(struct tool *t)
{
	return talk(t, kms_activate);
}

static int
command_renew(struct tool *t)
{
	return talk(t, kms_renew);
}

static int
command_release(struct tool *t)
{
	return talk(t, kms_release);
}

static bool
may_run(enum kms_licence licence)
{
	return licence == KMS_GRACE || licence == KMS_ACTIVATED || licence == KMS_RENEWAL_DUE;
}

static int
command_status(struct tool *t)
{
	struct kms_status_info s = { .size = sizeof(s) };
	struct kms_client *c;
	int rc;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	rc = kms_status(c, &s);
	tell_licence(t, c);
	if (s.host[0] != '\0')
		tool_text(t, "host", s.host);
	tool_number(t, "count", s.count);
	tool_number(t, "required", s.required);
	tool_text(t, "last-status", kms_error_find(s.last_status)->symbol);
	tool_time(t, "last-exchange", s.last_exchange);
	kms_close(c);
	if (rc != KMS_OK)
		return tool_status(t, (uint32_t)rc, "the time seen could not be kept");
	return may_run(s.licence) ? TOOL_OK : TOOL_LOCAL;
}

static int
command_verify(struct tool *t)
{
	struct kms_client *c;
	int rc;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	rc = kms_verify(c);
	kms_close(c);
	/* Offline nobody refused anything: whatever it is, it is about what is here. */
	rc = tool_status(t, (uint32_t)rc, NULL);
	return rc == TOOL_OK ? TOOL_OK : TOOL_LOCAL;
}

static void
tell_hosts(struct tool *t, char *lines)
{
	json_t *list = t->json ? json_array() : NULL;
	char *line, *rest;

	for (line = strtok_r(lines, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (t->json)
			json_array_append_new(list, json_string(line));
		else
			printf("%s\n", line);
	}
	if (t->json)
		json_object_set_new(t->object, "hosts", list);
}

/*
 * Looking for hosts needs no key, product or state, but the library's object
 * does: those not given are made up, the state in a directory of its own.
 */
static int
command_discover(struct tool *t)
{
	char directory[] = "/tmp/kmsclient.XXXXXX", state[64], lock[80], *lines = NULL;
	struct kms_client *c = NULL;
	int rc = TOOL_LOCAL;

	if (mkdtemp(directory) == NULL)
		return tool_status(t, KMS_E_IO, directory);
	snprintf(state, sizeof(state), "%s/state", directory);
	snprintf(lock, sizeof(lock), "%s.lock", state);
	t->options.state_file = state;
	t->options.publisher_key = "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	t->options.product = "00000000-0000-0000-0000-000000000000";
	if ((rc = tool_open(t, &c)) == TOOL_OK) {
		lines = malloc(16384);
		rc = lines == NULL ? KMS_E_NO_MEMORY : kms_discover(c, lines, 16384);
		if (rc == KMS_OK)
			tell_hosts(t, lines);
		else
			rc = tool_status(t, (uint32_t)rc, t->options.domain);
	}
	free(lines);
	kms_close(c);
	unlink(state);
	unlink(lock);
	rmdir(directory);
	return rc;
}

const struct tool_command tool_commands[] = {
	{ "activate", NULL, true, "ask a host for a lease", command_activate },
	{ "renew", NULL, true, "ask for a new lease before the old one runs out", command_renew },
	{ "release", NULL, true, "give the seat back", command_release },
	{ "status", NULL, true, "what the product may do now (no network)", command_status },
	{ "verify", NULL, true, "check the stored lease (no network)", command_verify },
	{ "export-lease", "FILE", true, "write the lease for others to verify",
	    command_export_lease },
	{ "verify-lease", "FILE", false, "check such a file; needs only the key",
	    command_verify_lease },
	{ "discover", NULL, false, "hosts in the order they would be tried", command_discover },
	{ NULL, NULL, false, NULL, NULL },
};
