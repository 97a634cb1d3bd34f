/*
 * open.c - opens the library's client with what the command line says.
 */
#include <stdio.h>
#include <string.h>

#include "libkms/kmsclient/tool.h"

/* The library names its own option, "host_key: ..."; whoever typed has another name for it. */
static void
name_option(char *out, size_t size, int rc, const char *detail)
{
	static const struct {
		const char *library, *ours;
	} names[] = {
		{ "publisher_key: ", "--publisher-key" },
		{ "product: ", "--product" },
		{ "state_file: ", "--state" },
		{ "host: ", "--host" },
		{ "domain: ", "--domain" },
		{ "nameserver: ", "--nameserver" },
		{ "name: ", "--name" },
		{ "user: ", "--user" },
		{ "customer: ", "--customer" },
		{ "host_key: ", "--host-key" },
	};

	snprintf(out, size, "%s", detail);
	if (rc != KMS_E_FORMAT && rc != KMS_E_ARGUMENT)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i].library);

		if (strncmp(detail, names[i].library, len) == 0)
			snprintf(out, size, "%s: %s", names[i].ours, detail + len);
	}
}

int
tool_try_open(struct tool *t, struct kms_client **c, char *words, size_t size)
{
	char detail[512] = "";
	int rc;

	t->options.detail = detail;
	t->options.detail_size = sizeof(detail);
	rc = kms_open(c, &t->options);
	name_option(words, size, rc, detail);
	return rc;
}

/* Says which file it is about, and what to do. */
int
tool_open(struct tool *t, struct kms_client **c)
{
	char words[600];
	uint32_t status;
	int rc;

	if ((rc = tool_try_open(t, c, words, sizeof(words))) == KMS_OK)
		return TOOL_OK;
	status = (uint32_t)rc;
	rc = tool_status(t, status, words);
	tool_message_of(t, "message", status);
	return rc == TOOL_REFUSED ? TOOL_LOCAL : rc;
}
