/*
 * share.c - share init, invite, join: hosts that count together, from the first one to the last.
 * Each looks at everything, shows what it would do, and does it when that is agreed to; the parts
 * are in kmsctl/share.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/setup/agree.h"
#include "kmsctl/share/share_begin.h"
#include "kmsctl/share/share_join.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define JOIN_MS 60000 /* until etcd has caught up */

struct share_options {
	const char *host, *witness, *output;
	bool yes, is_witness;
};

/* Keys and etcd's files are root's. */
static int
need_root(struct ctl *ctl)
{
	return geteuid() == 0 ? CTL_OK
			      : fail(ctl, KMS_E_DENIED,
				    "it writes keys and the settings of etcd: run this as root");
}

static void
show_ini(struct ctl *ctl, const struct ini_edit *ini, const char *share,
    const struct config_endpoints *members)
{
	char word[ENDPOINT_TEXT];

	output_bool(ctl->out, "ini_changes", NULL, ini_edit_changes(ini));
	if (!ini_edit_changes(ini) || ctl->json)
		return;
	output_line(ctl->out, OUTPUT_PLAIN, "%s will say:", ini->path);
	output_line(ctl->out, OUTPUT_PLAIN, "  [share]");
	output_line(ctl->out, OUTPUT_PLAIN, "  name = %s", share);
	for (unsigned i = 0; i < members->count; i++)
		output_line(ctl->out, OUTPUT_PLAIN, "  %s%s", i == 0 ? "members = " : "          ",
		    endpoint_text(word, &members->at[i], ETCD_CLIENT_PORT));
}

static void
what_next(struct ctl *ctl, const char *text)
{
	output_text(ctl->out, "next", NULL, text);
	if (!ctl->json)
		output_line(ctl->out, OUTPUT_PLAIN, "Next: %s", text);
}

/* -- invite -- */

/* Does it: the file, then kms.ini and the machine. */
static int
invite(struct ctl *ctl, const struct share_invite *i)
{
	char next[1200];
	struct fault f = { 0 };
	int code;

	if (share_invite_write(i, &f) != KMS_OK)
		return fail_fault(ctl, &f);
	if ((code = agree_mend(ctl)) != CTL_OK)
		return code;
	output_text(ctl->out, "file", NULL, i->path);
	output_line(ctl->out, OUTPUT_WARN,
	    "%s was written. It is a secret: whoever has it can take the place of %s in the share.",
	    i->path, i->host);
	if (i->witness)
		snprintf(next, sizeof(next),
		    "bring it to %s by a safe way, and there: apt install etcd-server etcd-client, then sh %s",
		    i->host, i->path);
	else
		snprintf(next, sizeof(next),
		    "bring it to %s by a safe way, and there: apt install kmsd etcd-server curl, then kmsctl share join %s",
		    i->host, i->path);
	what_next(ctl, next);
	return CTL_OK;
}

static int
agree_and_invite(struct ctl *ctl, const struct share_invite *i)
{
	const struct share_options *o = ctl->options;
	int code;

	output_text(ctl->out, "share", "Share", i->share);
	output_text(ctl->out, "host", "Host", i->host);
	show_ini(ctl, &i->ini, i->share, &i->listed);
	(void)agree_show(ctl, i->ini.after, NULL);
	code = agree_ask(ctl, o->yes);
	return code == CTL_OK ? invite(ctl, i) : code;
}

static int
run_invite(struct ctl *ctl)
{
	const struct share_options *o = ctl->options;
	struct share_invite i = { .ini.lock = -1 };
	struct fault f = { 0 };
	int code = need_root(ctl);

	if (code != CTL_OK)
		return code;
	if (share_invite_prepare(&i, ctl, ctl->args[0], o->is_witness, o->output, &f) != KMS_OK)
		code = fail_fault(ctl, &f);
	else
		code = agree_and_invite(ctl, &i);
	share_invite_free(&i);
	return code;
}

/* Of share init --witness: it was agreed to, and etcd may have been started a moment ago. */
static int
invite_witness(struct ctl *ctl, const char *host)
{
	const struct timespec moment = { .tv_nsec = 500000000 };
	int64_t until = clock_ms() + ctl->timeout_ms;
	struct share_invite i;
	struct fault f;
	int rc, code;

	for (;;) {
		f = (struct fault){ 0 };
		rc = share_invite_prepare(&i, ctl, host, true, NULL, &f);
		if (rc != KMS_E_NO_HOST && rc != KMS_E_TIMEOUT)
			break;
		if (clock_ms() >= until)
			break;
		share_invite_free(&i);
		nanosleep(&moment, NULL);
	}
	if (rc == KMS_OK)
		code = invite(ctl, &i);
	else
		code = fail_told(ctl, (uint32_t)rc,
		    "the witness was not invited yet: %s; then kmsctl share invite --etcd-only %s",
		    f.text, host);
	share_invite_free(&i);
	return code;
}

/* -- init -- */

static void
show_begin(struct ctl *ctl, const struct share_begin *b)
{
	output_text(ctl->out, "share", "Share", b->share);
	output_text(ctl->out, "host", "Host", b->host);
	output_text(ctl->out, "directory", NULL, b->directory);
	if (!share_has(b->directory, SHARE_AUTHORITY))
		output_line(ctl->out, OUTPUT_PLAIN,
		    "%s/: the share's own authority, the certificates and keys of this host: would be made",
		    b->directory);
	if (b->settings == ETCD_SETTINGS_NONE)
		output_line(ctl->out, OUTPUT_PLAIN,
		    ETCD_SETTINGS
		    ": the settings of this host's etcd: would be written, and etcd started with them");
	show_ini(ctl, &b->ini, b->share, &b->listed);
}

static int
begin(struct ctl *ctl, const struct share_begin *b)
{
	char next[400];
	struct fault f = { 0 };
	int code;

	if (share_begin_write(b, &f) != KMS_OK)
		return fail_fault(ctl, &f);
	if ((code = agree_mend(ctl)) != CTL_OK)
		return code;
	output_line(
	    ctl->out, OUTPUT_GOOD, "The share %s begins on this host, %s.", b->share, b->host);
	output_line(ctl->out, OUTPUT_WARN,
	    "Keep a copy of %s/authority.key in a safe place: without it no host can be invited.",
	    b->directory);
	snprintf(next, sizeof(next),
	    "kmsctl share check, then kmsctl share first, when the publisher has confirmed this host, and kmsctl share invite HOST for each other host%s",
	    access("/run/systemd/system", F_OK) == 0 ? "" : "; start etcd first");
	what_next(ctl, next);
	return CTL_OK;
}

static int
run_init(struct ctl *ctl)
{
	const struct share_options *o = ctl->options;
	struct share_begin b = { .ini.lock = -1 };
	struct fault f = { 0 };
	unsigned due;
	bool made;
	int code = need_root(ctl);

	if (code != CTL_OK)
		return code;
	if (share_begin_prepare(&b, ctl, ctl->args[0], o->host, &f) != KMS_OK) {
		code = fail_fault(ctl, &f);
	} else {
		show_begin(ctl, &b);
		made = b.settings == ETCD_SETTINGS_SHARE && share_has(b.directory, SHARE_ETCD);
		due = agree_show(ctl, b.ini.after, made ? NULL : &aspect_share);
		if (made && due == 0 && !ini_edit_changes(&b.ini))
			output_line(ctl->out, OUTPUT_GOOD, "This host has all of it already.");
		else if ((code = agree_ask(ctl, o->yes)) == CTL_OK)
			code = begin(ctl, &b);
	}
	share_begin_free(&b);
	return code == CTL_OK && o->witness != NULL ? invite_witness(ctl, o->witness) : code;
}

/* -- join -- */

static int
join(struct ctl *ctl, struct share_join *j)
{
	bool systemd = access("/run/systemd/system", F_OK) == 0;
	struct fault f = { 0 };
	int code;

	if (share_join_write(j, &f) != KMS_OK)
		return fail_fault(ctl, &f);
	if ((code = agree_mend(ctl)) != CTL_OK)
		return code;
	if (share_join_finish(j, systemd || j->data ? JOIN_MS : 0, &f) != KMS_OK)
		return fail_told(ctl, (uint32_t)f.status, "%s", f.text);
	output_line(
	    ctl->out, OUTPUT_GOOD, "%s is a member of the share %s.", j->in.host, j->in.share);
	what_next(ctl,
	    "delete the invitation; on each other host: kmsctl apply; then kmsctl share check");
	return CTL_OK;
}

static int
run_join(struct ctl *ctl)
{
	const struct share_options *o = ctl->options;
	static struct share_join j; /* large */
	struct fault f = { 0 };
	int code = need_root(ctl);

	if (code != CTL_OK)
		return code;
	if (share_join_prepare(&j, ctl, ctl->args[0], &f) != KMS_OK) {
		code = fail_fault(ctl, &f);
	} else {
		output_text(ctl->out, "share", "Share", j.in.share);
		output_text(ctl->out, "host", "Host", j.in.host);
		output_line(ctl->out, OUTPUT_PLAIN,
		    "%s/: the certificates and keys of this host: would be written", j.directory);
		if (!j.data)
			output_line(ctl->out, OUTPUT_PLAIN,
			    ETCD_SETTINGS
			    ": the settings of this host's etcd: would be written, and etcd started with them");
		show_ini(ctl, &j.ini, j.in.share, &j.listed);
		(void)agree_show(ctl, j.ini.after, &aspect_share);
		if ((code = agree_ask(ctl, o->yes)) == CTL_OK)
			code = join(ctl, &j);
	}
	share_join_free(&j);
	return code;
}

static const struct option_row init_rows[] = {
	{ "yes", 0, NULL, "do not ask for confirmation",
	    .offset = offsetof(struct share_options, yes) },
	{ "host", 0, "HOST", "the name or address under which other hosts reach this one",
	    .offset = offsetof(struct share_options, host) },
	{ "witness", 0, "HOST", "also invite a witness: a machine that has etcd and no kmsd",
	    .offset = offsetof(struct share_options, witness) },
	{ 0 },
};
static const struct option_row invite_rows[] = {
	{ "yes", 0, NULL, "do not ask for confirmation",
	    .offset = offsetof(struct share_options, yes) },
	{ "etcd-only", 0, NULL, "a witness: a machine that has etcd and no kmsd",
	    .offset = offsetof(struct share_options, is_witness) },
	{ "output", 'o', "FILE", "write the invitation to this file",
	    .offset = offsetof(struct share_options, output) },
	{ 0 },
};
static const struct option_row join_rows[] = {
	{ "yes", 0, NULL, "do not ask for confirmation",
	    .offset = offsetof(struct share_options, yes) },
	{ 0 },
};

const struct ctl_command cmd_share_init = {
	.line.noun = "share",
	.line.verb = "init",
	.line.args = "NAME",
	.line.summary = "begin a share on this host: hosts that count together",
	.line.min = 1,
	.line.max = 1,
	.line.options = init_rows,
	.line.values = sizeof(struct share_options),
	.run = run_init,
};
const struct ctl_command cmd_share_invite = {
	.line.noun = "share",
	.line.verb = "invite",
	.line.args = "HOST",
	.line.summary = "write the file by which another host joins",
	.line.min = 1,
	.line.max = 1,
	.line.options = invite_rows,
	.line.values = sizeof(struct share_options),
	.run = run_invite,
};
const struct ctl_command cmd_share_join = {
	.line.noun = "share",
	.line.verb = "join",
	.line.args = "FILE",
	.line.summary = "make this host a member of a share",
	.line.min = 1,
	.line.max = 1,
	.line.options = join_rows,
	.line.values = sizeof(struct share_options),
	.line.complete = "file *.kmsshare",
	.run = run_join,
};
