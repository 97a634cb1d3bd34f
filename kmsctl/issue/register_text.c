/*
 * register_text.c - the register of version 0.1: a text file, one confirmation a line, fields by
 * one tab: serial, time, host key, host id, number of this confirmation, SHA-256 of the request,
 * SHA-256 of the certificate's signed octets. Only read, to be carried over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kmsctl/issue/register.h"
#include "libkms/base/file.h"
#include "policy/values.h"

#define TEXT_MAX (64 * 1024 * 1024)
#define FIELDS 7

static bool
parse_line(struct register_event *e, char *line)
{
	char *field[FIELDS];
	uint64_t number;

	memset(e, 0, sizeof(*e));
	e->kind = EVENT_CONFIRM;
	for (int i = 0; i < FIELDS; i++) {
		field[i] = strsep(&line, "\t");
		if (field[i] == NULL)
			return false;
	}
	if (line != NULL || !value_number_parse(&e->serial, field[0]) ||
	    !value_time_parse(&e->time, field[1], false) ||
	    !value_uuid_parse(e->host_key, field[2]) || !value_hex_parse(e->host, 16, field[3]) ||
	    !value_number_parse(&number, field[4]) || number > UINT16_MAX ||
	    !value_hex_parse(e->request, 32, field[5]) ||
	    !value_hex_parse(e->certificate, 32, field[6]))
		return false;
	e->confirmation = (uint16_t)number;
	return true;
}

/* What stands after the last line end was never acknowledged: its certificate was not written. */
static int
each_line(char *text, size_t len, int (*fn)(struct register_event *e, void *arg), void *arg,
    char why[200])
{
	struct register_event e;
	uint64_t number = 0;
	int rc = KMS_OK;

	while (len > 0 && text[len - 1] != '\n')
		len--;
	if (memchr(text, '\0', len) != NULL) {
		snprintf(why, 200, "it holds NUL octets: restore the register from a backup");
		return KMS_E_ALTERED;
	}
	text[len] = '\0';
	while (rc == KMS_OK && *text != '\0') {
		number++;
		if (!parse_line(&e, strsep(&text, "\n")) || e.serial != number) {
			snprintf(why, 200,
			    "line %llu is damaged: restore the register from a backup",
			    (unsigned long long)number);
			return KMS_E_ALTERED;
		}
		rc = fn(&e, arg);
	}
	return rc;
}

int
register_text_each(
    const char *path, int (*fn)(struct register_event *e, void *arg), void *arg, char why[200])
{
	/* Version 0.1 locks the file itself; one that is still at work ends first. */
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	char *text;
	size_t len;

	if (fd < 0)
		return file_status(errno);
	if (flock(fd, LOCK_EX) != 0)
		rc = file_status(errno);
	else if ((rc = file_read(AT_FDCWD, path, FILE_GIVEN, TEXT_MAX, &text, &len)) == KMS_OK) {
		rc = each_line(text, len, fn, arg, why);
		free(text);
	}
	close(fd);
	return rc;
}
