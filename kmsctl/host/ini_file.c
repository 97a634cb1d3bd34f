/*
 * ini_file.c - see ini_file.h.
 */
#include "kmsctl/host/ini_file.h"

#include "kmsctl/cli/fail.h"
#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"

int
ini_load(struct ctl *ctl)
{
	struct fault f = { 0 };
	unsigned count = config_load(&ctl->config, ctl->config_path, &f, 1);

	/* Without a file, the defaults are a configuration. */
	if (count == 0 || (f.status == KMS_E_NOT_FOUND && !ctl->config_given))
		return CTL_OK;
	if (f.status != KMS_E_FORMAT)
		return fail(ctl, (uint32_t)f.status, "%s: %s", ctl->config_path, f.text);
	if (f.line == 0) /* of the whole file */
		return fail(ctl, KMS_E_CONFIG, "%s: %s", ctl->config_path, f.text);
	return fail(ctl, KMS_E_CONFIG, "%s:%d: %s (%u error%s: see kmsctl config check)",
	    ctl->config_path, f.line, f.text, count, count == 1 ? "" : "s");
}

int
ini_load_damaged(struct ctl *ctl, struct fault *f, unsigned *count)
{
	*count = config_load(&ctl->config, ctl->config_path, f, 1);
	if (*count == 0 || (f->status == KMS_E_NOT_FOUND && !ctl->config_given))
		return KMS_OK;
	if (f->status == KMS_E_FORMAT && f->line > 0)
		fault_prefix(f, "line %d: ", f->line);
	return f->status == KMS_E_FORMAT ? KMS_E_CONFIG : f->status;
}

void
ini_load_quietly(struct ctl *ctl)
{
	config_load(&ctl->config, ctl->config_path, NULL, 0);
}
