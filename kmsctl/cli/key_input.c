/*
 * key_input.c - see key_input.h. A mistyped code is not just refused: the group is named, and at
 * the prompt only its line is asked for again.
 */
#include "kmsctl/cli/key_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/input.h"
#include "kmsctl/host/install.h"
#include "libkms/core/minisig.h"
#include "libkms/kms_error.h"

#define KEY_ROOM 2048

int
key_input_file(struct signed_file *out, const char *text, size_t len, struct fault *f)
{
	uint8_t octets[64];
	struct host_key key;
	int rc;

	*out = (struct signed_file){ 0 };
	if ((rc = host_key_code_parse(&key, octets, text, len, f)) != KMS_OK)
		return rc;
	out->text = malloc(KEY_ROOM);
	out->signature = malloc(MINISIG_PLAIN);
	if (out->text == NULL || out->signature == NULL) {
		signed_file_free(out);
		return fault_set(f, KMS_E_NO_MEMORY, NULL);
	}
	out->len = host_key_format(out->text, KEY_ROOM, &key);
	out->signature_len = minisig_format_plain(out->signature, key.publisher, octets);
	return KMS_OK;
}

static int
put_host_key(const char *text, size_t len, struct control_buf *args, struct fault *err)
{
	struct signed_file file;
	int rc = key_input_file(&file, text, len, err);

	if (rc == KMS_OK && args != NULL)
		install_put(args, &file);
	signed_file_free(&file);
	return rc;
}

/* args NULL: only checks the code. */
static int
put_code(
    enum code_kind kind, const char *text, size_t len, struct control_buf *args, struct fault *err)
{
	uint8_t octets[CODE_OCTETS];
	size_t n;
	int rc;

	if (kind == CODE_HOST_KEY)
		return put_host_key(text, len, args, err);
	rc = code_parse(octets, &n, kind, text, len, err);
	if (rc == KMS_OK && args != NULL)
		control_octets(args, "code", octets, n);
	return rc;
}

static int
take_code(
    struct ctl *ctl, enum code_kind kind, const char *text, size_t len, struct control_buf *args)
{
	struct fault err;
	int rc = put_code(kind, text, len, args, &err);

	return rc == KMS_OK ? CTL_OK : fail(ctl, (uint32_t)rc, "the code: %s", err.text);
}

/* -- typed at a prompt -- */

char *
key_input_line(const char *question)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	fprintf(stderr, "%s", question);
	fflush(stderr);
	n = getline(&line, &size, stdin);
	if (n < 0) {
		free(line);
		fputc('\n', stderr);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

/* Adds the line; a wrong line is removed and asked for again. */
static int
add_line(enum code_kind kind, char text[CODE_INPUT], size_t *have, const char *line)
{
	size_t n = strlen(line);
	struct fault err;
	int rc;

	if (*have + n + 1 >= CODE_INPUT) {
		fprintf(stderr, "  this is longer than any code; the line is ignored\n");
		return KMS_E_TRUNCATED;
	}
	memcpy(text + *have, line, n);
	text[*have + n] = ' ';
	rc = put_code(kind, text, *have + n + 1, NULL, &err);
	if (rc == KMS_OK || rc == KMS_E_TRUNCATED) {
		*have += n + 1;
		if (rc != KMS_OK)
			output_say(stderr, "  %s; type the next line", err.text);
		return rc;
	}
	output_say(stderr, "  %s: type this line again", err.text);
	return KMS_E_TRUNCATED;
}

static int
prompt(struct ctl *ctl, enum code_kind kind, struct control_buf *args)
{
	char text[CODE_INPUT], *line;
	size_t have = 0;
	int rc = KMS_E_TRUNCATED;

	fprintf(stderr,
	    kind == CODE_HOST_KEY
		? "Type the code of the KMS host key, line by line; an empty line cancels.\n"
		: "Type the code of the confirmation, line by line; an empty line cancels.\n");
	while (rc == KMS_E_TRUNCATED && (line = key_input_line("> ")) != NULL) {
		if (line[strspn(line, " \t")] == '\0') {
			free(line);
			break;
		}
		rc = add_line(kind, text, &have, line);
		free(line);
	}
	if (rc != KMS_OK)
		return fail(ctl, KMS_E_ARGUMENT, "the code is incomplete");
	return take_code(ctl, kind, text, have, args);
}

/* -- files, standard input, arguments -- */

/* A publisher's file has sections and keys; a code has neither. */
static bool
is_code(const char *text, bool pasted)
{
	if (!pasted)
		return code_looks_like(text);
	return text[strcspn(text, "[=")] == '\0' && strstr(text, "comment:") == NULL;
}

static int
take_text(struct ctl *ctl, enum code_kind kind, const char *path, struct control_buf *args)
{
	bool pasted = strcmp(path, "-") == 0;
	struct signed_file file = { 0 };
	char *text = NULL;
	size_t len;
	int code;

	if (input_read(path, SIGNED_FILE_MAX, &text, &len) == KMS_OK && is_code(text, pasted)) {
		code = take_code(ctl, kind, text, len, args);
	} else {
		/* Also says what is wrong with a file that could not be read. */
		code = pasted && text != NULL ? install_split(ctl, text, len, &file)
					      : install_read_file(ctl, path, &file);
		if (code == CTL_OK)
			code = install_is(
			    ctl, &file, path, kind == CODE_HOST_KEY ? FILE_KEY : FILE_CERTIFICATE);
		if (code == CTL_OK)
			install_put(args, &file);
	}
	signed_file_free(&file);
	free(text);
	return code;
}

static int
take_arguments(struct ctl *ctl, enum code_kind kind, struct control_buf *args)
{
	char text[CODE_INPUT];
	size_t at = 0;

	for (unsigned i = 0; i < ctl->arg_count; i++) {
		size_t n = strlen(ctl->args[i]);

		if (at + n + 1 >= sizeof(text))
			return fail(ctl, KMS_E_TOO_LARGE, "this is longer than any code");
		memcpy(text + at, ctl->args[i], n);
		at += n;
		text[at++] = ' ';
	}
	return take_code(ctl, kind, text, at, args);
}

/* One argument: a code, or a file's name? If the file exists, it is a file. */
static bool
names_code(const char *argument)
{
	if (access(argument, F_OK) == 0)
		return false;
	return code_looks_like(argument) ||
	       (strlen(argument) > 60 && strpbrk(argument, "/.") == NULL);
}

int
key_input_read(struct ctl *ctl, enum code_kind kind, struct control_buf *args)
{
	if (ctl->arg_count == 0)
		return isatty(STDIN_FILENO) ? prompt(ctl, kind, args)
					    : take_text(ctl, kind, "-", args);
	if (ctl->arg_count > 1 || names_code(ctl->args[0]))
		return take_arguments(ctl, kind, args);
	return take_text(ctl, kind, ctl->args[0], args);
}
