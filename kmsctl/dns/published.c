/*
 * published.c - dns.published: read line by line, written beside itself and renamed.
 */
#include "kmsctl/dns/published.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/ledger_access.h"
#include "libkms/kms_error.h"

#define NAME "dns.published"
#define NEW NAME ".new"

/*
 * The directory belongs to the activation user: no link is followed, no FIFO waited for. NULL with
 * errno.
 */
static FILE *
open_published(int dir)
{
	int fd = openat(dir, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd >= 0 ? fdopen(fd, "r") : NULL;
}

static int
failed(struct ctl *ctl, const char *what, int error)
{
	return fail(ctl,
	    error == EACCES   ? KMS_E_DENIED
	    : error == ENOSPC ? KMS_E_FULL
			      : KMS_E_IO,
	    "%s/" NAME ": %s: %s", ctl->config.state_directory, what, strerror(error));
}

/* The number of the first bad line, 0: none. */
static int
read_lines(FILE *f, struct records *out)
{
	char line[RECORD_TEXT];
	struct record r;
	int number = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != ';' && (!record_parse(&r, line) || !records_add(out, &r)))
			return number;
	}
	return 0;
}

int
published_read(struct ctl *ctl, struct records *out)
{
	int dir = ledger_access_directory(ctl), code = CTL_OK, bad;
	FILE *f;

	out->count = 0;
	if (dir < 0)
		return CTL_FAILED;
	f = open_published(dir);
	if (f == NULL && errno != ENOENT)
		code = failed(ctl, "cannot be read", errno);
	if (f != NULL) {
		bad = read_lines(f, out);
		if (bad != 0)
			code = fail(ctl, KMS_E_FORMAT,
			    "%s/" NAME ":%d: not a record of this host: correct or remove the line",
			    ctl->config.state_directory, bad);
		fclose(f);
	}
	ledger_access_close(NULL, dir);
	return code;
}

static int
write_lines(int fd, const struct records *set)
{
	char line[RECORD_TEXT];
	FILE *f = fdopen(fd, "w");
	int error = 0;
	unsigned i;

	if (f == NULL) {
		error = errno;
		close(fd);
		return error;
	}
	fputs(
	    "; The records that kmsctl dns publish added to DNS. kmsctl dns unpublish removes them.\n",
	    f);
	for (i = 0; i < set->count; i++) {
		record_text(line, &set->rows[i]);
		fprintf(f, "%s\n", line);
	}
	if (fflush(f) != 0 || fsync(fd) != 0)
		error = errno;
	if (fclose(f) != 0 && error == 0)
		error = errno;
	return error;
}

int
published_write(struct ctl *ctl, const struct records *set)
{
	int dir = ledger_access_directory(ctl), fd, error = 0;

	if (dir < 0)
		return CTL_FAILED;
	fd = openat(dir, NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	error = fd >= 0 ? write_lines(fd, set) : errno;
	if (error == 0 && (renameat(dir, NEW, dir, NAME) != 0 || fsync(dir) != 0))
		error = errno;
	ledger_access_close(NULL, dir);
	return error == 0 ? CTL_OK : failed(ctl, "cannot be written", error);
}

bool
published_glance(const struct ctl *ctl, struct records *out)
{
	int dir = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FILE *f = NULL;
	bool absent;

	out->count = 0;
	if (dir >= 0)
		f = open_published(dir);
	absent = f == NULL && errno == ENOENT;
	if (dir >= 0)
		close(dir);
	if (f == NULL)
		return absent;
	read_lines(f, out);
	fclose(f);
	return true;
}
