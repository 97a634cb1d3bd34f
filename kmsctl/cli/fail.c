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

static int __attribute__((format(printf, 4, 0)))
report(struct ctl *ctl, uint32_t status, bool told, const char *fmt, va_list ap)
{
	char message[1024];

	vsnprintf(message, sizeof(message), fmt, ap);
	if (ctl->json) {
		fail_json(ctl, kms_error_find(status), status, message);
	} else {
		output_end(ctl->out);
		fflush(ctl->out->file);
		/* Of these two, kmsd's own words to kmsctl say what to do: unlock, and when. */
		(told || status == KMS_E_OVERLOAD || status == KMS_E_LOCKED
			? help_told
			: help_failure)(ctl->program->name, status, message);
	}
	return status == KMS_E_NOT_RUNNING ? CTL_DOWN : CTL_FAILED;
}

int
fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
{
	va_list ap;
	int code;

	va_start(ap, fmt);
	code = report(ctl, status, false, fmt, ap);
	va_end(ap);
	return code;
}

int
fail_told(struct ctl *ctl, uint32_t status, const char *fmt, ...)
{
	va_list ap;
	int code;

	va_start(ap, fmt);
	code = report(ctl, status, true, fmt, ap);
	va_end(ap);
	return code;
}

int
fail_fault(struct ctl *ctl, const struct fault *f)
{
	return fail(ctl, (uint32_t)f->status, "%s", f->text);
}
