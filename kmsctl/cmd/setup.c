/*
 * setup.c - setup: from the files that a publisher sent to a host that is confirmed. Looks at all
 * of them, shows what it would do, and does it when that is agreed to; the parts are in
 * kmsctl/setup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/setup/agree.h"
#include "kmsctl/setup/finish.h"
#include "kmsctl/setup/place.h"
#include "libkms/kms_error.h"

struct setup_options {
	const char *name, *output;
	bool yes;
};

/* -- what was sent -- */

static const struct {
	const char *name, *word;
	enum output_style style;
} states[] = {
	[SENT_READ] = { "passed-over", "not used", OUTPUT_PLAIN },
	[SENT_WRONG] = { "wrong", "not used", OUTPUT_WARN },
	[SENT_PASSED] = { "passed-over", "not used", OUTPUT_PLAIN },
	[SENT_USED] = { "new", "new", OUTPUT_GOOD },
	[SENT_THERE] = { "installed", "there already", OUTPUT_PLAIN },
};

/* Most contents say what they are: "host key for Example Ltd, group server". */
static void
describe(const struct sent_file *s, char *out, size_t size)
{
	bool name =
	    s->is.kind == SENT_PUBLIC_KEY || (s->is.kind == SENT_SIGNED && s->is.file == FILE_PACK);

	if (s->contents[0] == '\0')
		snprintf(out, size, "%s", s->is.what);
	else if (name)
		snprintf(out, size, "%s, %s", s->is.what, s->contents);
	else
		snprintf(out, size, "%s", s->contents);
}

static void
show_file(struct ctl *ctl, const struct sent_file *s)
{
	bool used = s->state == SENT_USED || s->state == SENT_THERE, told = s->contents[0] != '\0';
	const char *fault = s->fault.text;
	char what[300];

	describe(s, what, sizeof(what));
	if (ctl->json) {
		output_row(ctl->out);
		output_text(ctl->out, "file", NULL, s->path);
		output_text(ctl->out, "what", NULL, what);
		output_text(ctl->out, "state", NULL, states[s->state].name);
		output_text(ctl->out, "problem", NULL, used ? NULL : fault);
	} else if (used) {
		output_line(ctl->out, states[s->state].style, "%s: %s: %s", s->path, what,
		    states[s->state].word);
	} else {
		output_line(ctl->out, s->is.secret ? OUTPUT_BAD : states[s->state].style,
		    "%s: not used: %s%s%s", s->path, told ? what : "", told ? ": " : "", fault);
	}
}

/* The ini file that is being written is no news. */
static bool
is_own_ini(const struct sent_file *s, const struct place *p)
{
	char *real = s->is.kind == SENT_INI && !s->named ? realpath(s->path, NULL) : NULL;
	bool own = real != NULL && strcmp(real, p->ini.path) == 0;

	free(real);
	return own;
}

static void
show_files(struct ctl *ctl, const struct sent *s, const struct place *p)
{
	output_list(ctl->out, "files", NULL);
	for (unsigned i = 0; i < s->count; i++)
		if (!is_own_ini(&s->list[i], p))
			show_file(ctl, &s->list[i]);
	output_end(ctl->out);
}

/* Is another file of the same kind good? Then a folder may contain one that is not. */
static bool
has_good(const struct sent *s, const struct sent_file *bad)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->list[i].is.kind == bad->is.kind && s->list[i].is.file == bad->is.file &&
		    (s->list[i].state == SENT_USED || s->list[i].state == SENT_THERE))
			return true;
	return false;
}

/* The file that keeps the command from going on; NULL: none. */
static const struct sent_file *
find_fatal(const struct sent *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct sent_file *f = &s->list[i];
		bool publishers = f->is.kind == SENT_SIGNED || f->is.kind == SENT_KEY_CODE ||
				  f->is.kind == SENT_CONFIRMATION_CODE ||
				  f->is.kind == SENT_PUBLIC_KEY;

		if (f->state == SENT_WRONG && (f->named || (publishers && !has_good(s, f))))
			return f;
	}
	return NULL;
}

static unsigned
count_state(const struct sent *s, enum sent_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->count; i++)
		n += s->list[i].state == state;
	return n;
}

/* CTL_OK: there is something to go on with. */
static int
check_files(struct ctl *ctl, const struct sent *s, const struct place *p)
{
	const struct sent_file *bad = find_fatal(s);
	unsigned good =
	    count_state(s, SENT_USED) + count_state(s, SENT_THERE) + count_state(s, SENT_PASSED);

	if (s->count > 1 || bad == NULL || ctl->json)
		show_files(ctl, s, p);
	if (bad != NULL)
		return fail(ctl, (uint32_t)bad->fault.status, "%s: %s", bad->path, bad->fault.text);
	if (s->count == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    "the folder contains no file: name the folder with the files that the publisher sent");
	if (good == 0)
		return fail(ctl, KMS_E_NOT_FOUND, "none of these files is for a host");
	return CTL_OK;
}

/* -- what would be done -- */

static void
show_section(struct ctl *ctl, const struct verdict *v, const struct place *p)
{
	bool changed = ini_edit_changes(&p->ini);

	output_text(ctl->out, "publisher", NULL, v->publisher != NULL ? v->name : NULL);
	output_bool(ctl->out, "ini_changes", NULL, changed);
	if (changed) {
		output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
		output_line(ctl->out, OUTPUT_PLAIN, "%s will say:", p->ini.path);
		output_line(ctl->out, OUTPUT_PLAIN, "  [publisher %s]", v->name);
		output_line(ctl->out, OUTPUT_PLAIN, "  key = %s", v->key);
	}
	for (enum ini_file f = 0; changed && f < INI_FILES; f++)
		if (p->files[f].path[0] != '\0')
			output_line(ctl->out, OUTPUT_PLAIN, "  %s = %s", verdict_ini_key(f),
			    p->files[f].path);
	if (v->fresh) {
		output_line(ctl->out, OUTPUT_WARN,
		    "Compare this key with the key that the publisher publishes:");
		output_line(ctl->out, OUTPUT_WARN,
		    "the owner of the key decides which products this host activates.");
	}
}

/* -- doing it -- */

static int
do_it(struct ctl *ctl, const struct verdict *v, const struct place *p)
{
	struct fault f = { 0 };

	return place_write(p, v, &f) == KMS_OK ? agree_mend(ctl) : fail_fault(ctl, &f);
}

static int
agree_and_do(struct ctl *ctl, const struct verdict *v, const struct sent *s, const struct place *p)
{
	const struct setup_options *o = ctl->options;
	unsigned due;
	int code = CTL_OK;

	show_section(ctl, v, p);
	due = agree_show(ctl, p->ini.after, NULL);
	if (p->changes && !ini_edit_permitted(&p->ini))
		return fail(ctl, KMS_E_DENIED, "%s: %s: run this as root", p->ini.directory,
		    strerror(errno));
	if (p->changes || due > 0 || count_state(s, SENT_USED) > 0) {
		if ((code = agree_ask(ctl, o->yes)) == CTL_OK &&
		    (code = do_it(ctl, v, p)) == CTL_OK)
			code = finish_install(ctl, v, s);
	} else {
		output_line(ctl->out, OUTPUT_GOOD, "All of these files are installed.");
	}
	return code == CTL_OK ? finish_request(ctl, v, o->output) : code;
}

/* -1: there is none, or it cannot be read: then nothing is known to be installed. */
static int
open_state(const struct ctl *ctl)
{
	return open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
run_setup(struct ctl *ctl)
{
	const struct setup_options *o = ctl->options;
	struct verdict v = { 0 };
	struct sent s = { 0 };
	struct place p = { .ini.lock = -1 };
	struct fault f = { 0 };
	int dirfd = open_state(ctl), code = CTL_FAILED;

	if (dirfd < 0 && errno != ENOENT)
		code = fail(ctl, (uint32_t)file_status(errno), "%s: %s: run this as root",
		    ctl->config.state_directory, strerror(errno));
	else if (sent_read(&s, ctl->args, ctl->arg_count, &f) != KMS_OK ||
		 place_open(&p, ctl, &f) != KMS_OK ||
		 verdict_make(&v, ctl, &s, dirfd, o->name, &f) != KMS_OK ||
		 place_prepare(&p, ctl, &v, &f) != KMS_OK)
		code = fail_fault(ctl, &f);
	else if ((code = check_files(ctl, &s, &p)) == CTL_OK)
		code = agree_and_do(ctl, &v, &s, &p);
	verdict_free(&v);
	sent_free(&s);
	place_free(&p);
	if (dirfd >= 0)
		close(dirfd);
	return code;
}

static const struct option_row rows[] = {
	{ "yes", 0, NULL, "do not ask for confirmation",
	    .offset = offsetof(struct setup_options, yes) },
	{ "name", 0, "NAME", "the name of a new [publisher NAME] in kms.ini",
	    .offset = offsetof(struct setup_options, name) },
	{ "output", 'o', "FILE", "write the request to this file",
	    .offset = offsetof(struct setup_options, output) },
	{ 0 },
};

const struct ctl_command cmd_setup = {
	.line.noun = "setup",
	.line.args = "FOLDER|FILE...",
	.line.summary = "set this host up from the files that a publisher sent",
	.line.min = 1,
	.line.max = 64,
	.line.options = rows,
	.line.values = sizeof(struct setup_options),
	.line.complete = "file *",
	.run = run_setup,
};
