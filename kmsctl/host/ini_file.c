/*
 * ini_file.c - see ini_file.h.
 */
#include "kmsctl/host/ini_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "libkms/kms_error.h"

int
ini_load(struct ctl *ctl)
{
	struct config_error error;
	char *text = NULL;
	unsigned errors;
	size_t len;
	int rc;

	config_defaults(&ctl->config);
	rc = config_read_file(ctl->config_path, &text, &len);
	if (rc == KMS_E_NOT_FOUND && !ctl->config_given)
		return CTL_OK; /* defaults are a configuration */
	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "%s: cannot be read: %s", ctl->config_path,
		    rc == KMS_E_TOO_LARGE ? kms_strerror((uint32_t)rc) : strerror(errno));
	errors = config_parse(&ctl->config, text, len, &error, 1);
	free(text);
	if (errors == 0)
		return CTL_OK;
	return fail(ctl, KMS_E_CONFIG, "%s:%d: %s (%u error%s: see kmsctl config check)",
	    ctl->config_path, error.line, error.text, errors, errors == 1 ? "" : "s");
}

void
ini_load_quietly(struct ctl *ctl)
{
	struct config_error error;
	char *text = NULL;
	size_t len;

	config_defaults(&ctl->config);
	if (config_read_file(ctl->config_path, &text, &len) == KMS_OK)
		config_parse(&ctl->config, text, len, &error, 1);
	free(text);
}
