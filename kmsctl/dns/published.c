/*
 * published.c - dns.published: read line by line, written beside itself and renamed.
 */
#include "kmsctl/dns/published.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/ledger_access.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define NAME "dns.published"
#define PUBLISHED_MAX (1 << 20) /* bytes of the file */

static int
failed(struct ctl *ctl, const char *what, int rc)
{
	return fail(ctl, (uint32_t)rc, "%s/" NAME ": %s: %s", ctl->config.state_directory, what,
	    rc == KMS_E_TOO_LARGE ? "it is too large" : strerror(errno));
}

/* The number of the first bad line, 0: none. */
static int
read_lines(char *text, struct records *out)
{
	struct record r;
	char *line;
	int number = 0;

	while (text != NULL && *text != '\0') {
		number++;
		line = strsep(&text, "\n");
		if (line[0] != ';' && (!record_parse(&r, line) || !records_add(out, &r)))
			return number;
	}
	return 0;
}

int
published_read(struct ctl *ctl, struct records *out)
{
	int dir = ledger_access_directory(ctl), code = CTL_OK, rc, bad;
	char *text;
	size_t len;

	out->count = 0;
	if (dir < 0)
		return CTL_FAILED;
	rc = file_read(dir, NAME, FILE_OURS, PUBLISHED_MAX, &text, &len);
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		code = failed(ctl, "cannot be read", rc);
	else if (rc == KMS_OK && (bad = read_lines(text, out)) != 0)
		code = fail_told(ctl, KMS_E_FORMAT,
		    "%s/" NAME ":%d: not a record of this host: correct or remove the line",
		    ctl->config.state_directory, bad);
	free(text);
	ledger_access_close(NULL, dir);
	return code;
}

int
published_write(struct ctl *ctl, const struct records *set)
{
	int dir = ledger_access_directory(ctl), rc = KMS_E_NO_MEMORY, code = CTL_OK;
	char line[RECORD_TEXT], *text = NULL;
	size_t len;
	FILE *f;

	if (dir < 0)
		return CTL_FAILED;
	if ((f = open_memstream(&text, &len)) != NULL) {
		fputs(
		    "; The records that kmsctl dns publish added to DNS. kmsctl dns unpublish removes them.\n",
		    f);
		for (unsigned i = 0; i < set->count; i++) {
			record_text(line, &set->rows[i]);
			fprintf(f, "%s\n", line);
		}
		if (fclose(f) == 0)
			rc = file_write(dir, NAME, text, len, 0600, true);
	}
	if (rc != KMS_OK)
		code = failed(ctl, "cannot be written", rc);
	free(text);
	ledger_access_close(NULL, dir);
	return code;
}

bool
published_glance(const struct ctl *ctl, struct records *out)
{
	char path[FILE_PATH_MAX], *text;
	size_t len;
	int rc;

	out->count = 0;
	snprintf(path, sizeof(path), "%s/" NAME, ctl->config.state_directory);
	rc = file_read(AT_FDCWD, path, FILE_OURS, PUBLISHED_MAX, &text, &len);
	if (rc == KMS_OK)
		read_lines(text, out);
	free(text);
	return rc == KMS_OK || rc == KMS_E_NOT_FOUND;
}
