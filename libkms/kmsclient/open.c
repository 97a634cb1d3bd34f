/*
 * open.c - opens the library's client with what the command line says.
 */
#include <stdio.h>

#include "libkms/kmsclient/tool.h"

/* Says which file it is about, and what to do. */
int
tool_open(struct tool *t, struct kms_client **c)
{
	char detail[512] = "";
	int rc;

	t->options.detail = detail;
	t->options.detail_size = sizeof(detail);
	if ((rc = kms_open(c, &t->options)) == KMS_OK)
		return TOOL_OK;
	if (rc == KMS_E_FORMAT)
		snprintf(detail, sizeof(detail),
		    "--publisher-key needs \"RW...\" of 56 characters, --product and --host-key a UUID");
	rc = tool_status(t, (uint32_t)rc, detail);
	return rc == TOOL_REFUSED ? TOOL_LOCAL : rc;
}
