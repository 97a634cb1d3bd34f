/*
 * print.c - kmsclient's output: lines of "key: value" for people, one JSON
 * object for programs, the same keys in both.
 */
#include <string.h>
#include <time.h>

#include "libkms/kmsclient/tool.h"

void
tool_text(struct tool *t, const char *key, const char *value)
{
	if (t->json)
		json_object_set_new(t->object, key, json_string(value));
	else
		printf("%s: %s\n", key, value);
}

void
tool_number(struct tool *t, const char *key, uint64_t value)
{
	if (t->json)
		json_object_set_new(t->object, key, json_integer((json_int_t)value));
	else
		printf("%s: %llu\n", key, (unsigned long long)value);
}

/* Seconds for programs, RFC 3339 for people. Zero is no time. */
void
tool_time(struct tool *t, const char *key, uint64_t when)
{
	time_t seconds = (time_t)when;
	struct tm tm;
	char text[40];

	if (t->json) {
		tool_number(t, key, when);
		return;
	}
	if (when == 0)
		return;
	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)when);
	tool_text(t, key, text);
}

void
tool_id(struct tool *t, const char *key, const uint8_t id[16], bool dashes)
{
	char text[37];
	size_t i, n = 0;

	for (i = 0; i < 16; i++) {
		if (dashes && (i == 4 || i == 6 || i == 8 || i == 10))
			text[n++] = '-';
		snprintf(text + n, sizeof(text) - n, "%02x", id[i]);
		n += 2;
	}
	tool_text(t, key, text);
}

static int
exit_code(uint32_t status)
{
	switch (status) {
	case KMS_OK:
		return TOOL_OK;
	case KMS_E_COUNT_TOO_LOW:
		return TOOL_COUNTED;
	case KMS_E_NO_HOST:
	case KMS_E_TIMEOUT:
		return TOOL_NO_HOST;
	case KMS_E_ARGUMENT:
		return TOOL_USAGE;
	default:
		return status < KMS_E_LOCAL ? TOOL_REFUSED : TOOL_LOCAL;
	}
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
	tool_text(t, "status", e->symbol);
	if (t->json) {
		tool_number(t, "code", status);
		tool_text(t, "meaning", e->meaning);
		if (code[0] != '\0')
			tool_text(t, "microsoft", code);
		if (status != KMS_OK)
			tool_text(t, "remedy", e->remedy);
		if (detail != NULL)
			tool_text(t, "detail", detail);
	}
	if (status != KMS_OK) {
		fprintf(stderr, "kmsclient: %s%s%s%s: %s\n", e->symbol, code[0] ? " (" : "", code,
		    code[0] ? ")" : "", e->meaning);
		if (detail != NULL)
			fprintf(stderr, "  %s\n", detail);
		fprintf(stderr, "  %s\n", e->remedy);
	}
	return exit_code(status);
}

int
tool_flush(struct tool *t)
{
	if (t->json) {
		json_dumpf(t->object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("kmsclient: standard output");
		return TOOL_LOCAL;
	}
	return TOOL_OK;
}
