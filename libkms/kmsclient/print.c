/*
 * print.c - what kmsclient says of times and of a status: lines for people, members of one JSON
 * object for programs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/help.h"
#include "kmsctl/cli/output.h"
#include "libkms/base/hex.h"
#include "libkms/base/seat_status.h"
#include "libkms/kmsclient/tool.h"
#include "libkms/os/error_text.h"

void
tool_time(struct tool *t, const char *key, uint64_t when)
{
	char text[OUTPUT_WHEN];

	if (t->json)
		tell_number(t->out, key, when);
	else if (when != 0)
		tell_text(t->out, key, output_when(text, when));
}

void
tool_batch(struct tool *t, const char *key, uint64_t number, const uint8_t hash[32])
{
	char text[24 + 65];
	size_t used = (size_t)snprintf(text, sizeof(text), "%" PRIu64 ":", number);

	hex_format(text + used, hash, 32);
	tell_text(t->out, key, text);
}

static int
exit_code(uint32_t status)
{
	switch (status) {
	case KMS_OK:
	case KMS_E_TOO_SOON: /* The lease that it has remains valid. */
		return TOOL_OK;
	case KMS_E_COUNT_TOO_LOW:
		return TOOL_COUNTED;
	case KMS_E_NO_HOST:
	case KMS_E_TIMEOUT:
		return TOOL_NO_HOST;
	case KMS_E_ARGUMENT:
		return TOOL_USAGE;
	case KMS_E_EXISTS:
		return TOOL_IN_USE;
	default:
		return status < KMS_E_LOCAL ? TOOL_REFUSED : TOOL_LOCAL;
	}
}

bool
tool_seat_expected(uint32_t status, uint32_t retry_after)
{
	return retry_after > 0 && status_lacks_seat(status);
}

int
tool_status(struct tool *t, uint32_t status, const char *detail)
{
	const struct kms_error *e = kms_error_find(status);
	char code[16] = "";

	if (e->microsoft != 0)
		snprintf(code, sizeof(code), "0x%08X", e->microsoft);
	if (detail != NULL && detail[0] == '\0')
		detail = NULL;
	tell_text(t->out, "status", e->symbol);
	if (t->json) {
		tell_number(t->out, "code", status);
		tell_text(t->out, "meaning", e->meaning);
		if (code[0] != '\0')
			tell_text(t->out, "microsoft", code);
		if (status != KMS_OK)
			tell_text(t->out, "remedy", e->remedy);
		if (detail != NULL)
			tell_text(t->out, "detail", detail);
	}
	if (status != KMS_OK)
		help_failure(TOOL_NAME, status, detail);
	return exit_code(status);
}

/*
 * As setlocale(3) would find it, but a locale that is not installed here, as in a container, is a
 * language too.
 */
const char *
tool_language(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
	const char *value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((value = getenv(names[i])) != NULL && value[0] != '\0')
			return value;
	return "C";
}

void
tool_message(struct tool *t, const char *key, const char *user, const char *next)
{
	char text[512];

	snprintf(text, sizeof(text), "%s. %s", user, next);
	tell_text(t->out, key, text);
}

void
tool_message_of(struct tool *t, const char *key, uint32_t status)
{
	tool_message(t, key, kms_text_status(status, tool_language()),
	    kms_text_status_next(status, tool_language()));
}

void
tool_warning(struct tool *t, uint32_t warning, const char *detail)
{
	if (warning == 0)
		return;
	tell_text(t->out, "warning", kms_error_find(warning)->symbol);
	help_failure(TOOL_NAME, warning, detail);
}

int
tool_file_failed(struct tool *t, const char *path, int rc)
{
	char detail[512];

	snprintf(detail, sizeof(detail), "%s: %s", path,
	    rc == KMS_E_ARGUMENT ? kms_strerror((uint32_t)rc) : os_error_text(errno));
	tool_status(t, KMS_E_IO, detail);
	return TOOL_LOCAL;
}
