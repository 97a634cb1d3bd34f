/*
 * fault.c - see fault.h.
 */
#include "libkms/base/fault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"
#include "libkms/os/error_text.h"

static void __attribute__((format(printf, 4, 0)))
keep(struct fault *f, int line, int status, const char *fmt, va_list ap)
{
	if (f == NULL || f->status != KMS_OK)
		return;
	f->status = status;
	f->line = line;
	if (fmt != NULL)
		vsnprintf(f->text, sizeof(f->text), fmt, ap);
	else
		snprintf(f->text, sizeof(f->text), "%s", kms_strerror((uint32_t)status));
}

int
fault_set(struct fault *f, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep(f, 0, status, fmt, ap);
	va_end(ap);
	return status;
}

int
fault_at(struct fault *f, int line, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep(f, line, status, fmt, ap);
	va_end(ap);
	return status;
}

int
fault_errno(struct fault *f, int error, const char *fmt, ...)
{
	int rc = file_status(error);
	size_t len;
	va_list ap;

	if (f == NULL || f->status != KMS_OK)
		return rc;
	va_start(ap, fmt);
	keep(f, 0, rc, fmt, ap);
	va_end(ap);
	len = strlen(f->text);
	snprintf(f->text + len, sizeof(f->text) - len, ": %s", os_error_text(error));
	return rc;
}

int
fault_version(struct fault *f, const struct fault_version *v)
{
	bool told = v->by != NULL && v->by[0] != '\0';
	const char *by = told ? v->by : "";
	char install[128];

	snprintf(install, sizeof(install),
	    "Install %s%.32s again, or restore the backup made before the upgrade",
	    told ? "kmsd " : "the kmsd that wrote it", by);
	return fault_set(f, KMS_E_SCHEMA,
	    "%s%swritten by another version: %s version %u%s%.32s%s; this is %s %s, which reads %s version %u. %s",
	    v->file != NULL ? v->file : "", v->file != NULL ? ": " : "", v->what, v->found,
	    told ? " (by kmsd " : "", by, told ? ")" : "", v->reader, PACKAGE_VERSION, v->what,
	    v->known, v->next != NULL ? v->next : install);
}

void
fault_prefix(struct fault *f, const char *fmt, ...)
{
	char rest[FAULT_TEXT];
	size_t len;
	va_list ap;

	if (f == NULL)
		return;
	memcpy(rest, f->text, sizeof(rest));
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	len = strlen(f->text);
	snprintf(f->text + len, sizeof(f->text) - len, "%s", rest);
}

const char *
fault_text(const struct fault *f, int status)
{
	return f != NULL && f->text[0] != '\0' ? f->text : kms_strerror((uint32_t)status);
}
