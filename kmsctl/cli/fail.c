/*
 * fail.c - see fail.h.
 */
#include "kmsctl/cli/fail.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/help.h"
#include "libkms/kms_error.h"

static void
fail_json(struct ctl *ctl, const struct kms_error *e, uint32_t status, const char *message)
{
	char code[11];

	output_end(ctl->out);
	output_object(ctl->out, "error", NULL);
	output_number(ctl->out, "status", NULL, status);
	output_text(ctl->out, "symbol", NULL, e->symbol);
	snprintf(code, sizeof(code), "0x%08" PRIX32, e->microsoft);
	output_text(ctl->out, "microsoft", NULL, e->microsoft ? code : NULL);
	output_text(ctl->out, "meaning", NULL, e->meaning);
	output_text(ctl->out, "remedy", NULL, e->remedy);
	output_text(ctl->out, "message", NULL, message);
	output_end(ctl->out);
}

/* The table's words would be of another case, as "too busy" of a passphrase that was wrong. */
static bool
specific(uint32_t status, const char *message)
{
	bool host = strncmp(message, "kmsd: ", 6) == 0;

	return status == KMS_E_ARGUMENT || status == KMS_E_NOT_FOUND || status == KMS_E_CONFIG ||
	       (host && (status == KMS_E_OVERLOAD || status == KMS_E_PASSPHRASE));
}

int
fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (ctl->json) {
		fail_json(ctl, kms_error_find(status), status, message);
	} else {
		output_end(ctl->out);
		fflush(ctl->out->file);
		(specific(status, message) ? help_told : help_failure)(
		    ctl->program->name, status, message);
	}
	return status == KMS_E_NOT_RUNNING ? CTL_DOWN : CTL_FAILED;
}

int
fail_fault(struct ctl *ctl, const struct fault *f)
{
	return fail(ctl, (uint32_t)f->status, "%s", f->text);
}
