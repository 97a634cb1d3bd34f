/*
 * register.c - see register.h. The lock is on the file itself, so that two
 * publishers at one directory cannot give the same serial number.
 */
#include "kmsctl/issue/register.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kmsctl/issue/file.h"
#include "policy/values.h"

#define REGISTER_MAX (64 * 1024 * 1024)
#define LINE_ROOM 320
#define FIELDS 7

struct issue_register {
	int fd;
	struct register_entry *entries;
	size_t count;
};

static bool
parse_line(struct register_entry *e, char *line)
{
	char *field[FIELDS];
	uint64_t number;

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

static size_t
format_line(char out[LINE_ROOM], const struct register_entry *e)
{
	char time[VALUE_TIME + 1], key[VALUE_UUID + 1], host[33], request[65], certificate[65];
	int n;

	if (!value_time_format(time, e->time))
		return 0;
	value_uuid_format(key, e->host_key);
	value_hex_format(host, e->host, 16);
	value_hex_format(request, e->request, 32);
	value_hex_format(certificate, e->certificate, 32);
	n = snprintf(out, LINE_ROOM, "%llu\t%s\t%s\t%s\t%u\t%s\t%s\n",
	    (unsigned long long)e->serial, time, key, host, e->confirmation, request, certificate);
	return n > 0 && n < LINE_ROOM ? (size_t)n : 0;
}

/* Whole lines of text into entries; serial numbers must be 1, 2, 3 ... */
static int
load(struct issue_register *r, char *text, char why[200])
{
	size_t lines = 0;

	for (const char *c = text; *c != '\0'; c++)
		lines += *c == '\n';
	r->entries = calloc(lines + 1, sizeof(*r->entries));
	if (r->entries == NULL)
		return KMS_E_NO_MEMORY;
	for (size_t i = 0; i < lines; i++) {
		char *line = strsep(&text, "\n");

		if (!parse_line(&r->entries[i], line) || r->entries[i].serial != i + 1) {
			snprintf(why, 200,
			    "line %zu is damaged: restore the register from a backup", i + 1);
			return KMS_E_ALTERED;
		}
		r->count++;
	}
	return KMS_OK;
}

/* What stands after the last line end was never acknowledged: its certificate was not written. */
static int
drop_torn_line(struct issue_register *r, char *text, size_t *len)
{
	size_t whole = *len;

	while (whole > 0 && text[whole - 1] != '\n')
		whole--;
	if (whole == *len)
		return KMS_OK;
	text[whole] = '\0';
	*len = whole;
	return ftruncate(r->fd, (off_t)whole) == 0 && fsync(r->fd) == 0 ? KMS_OK
									: file_status(errno);
}

int
register_open(struct issue_register **out, const char *path, char why[200])
{
	struct issue_register *r = calloc(1, sizeof(*r));
	char *text = NULL;
	size_t len;
	int rc = KMS_OK, saved;

	*out = NULL;
	why[0] = '\0';
	if (r == NULL)
		return KMS_E_NO_MEMORY;
	r->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (r->fd < 0 || flock(r->fd, LOCK_EX) != 0)
		rc = file_status(errno);
	if (rc == KMS_OK)
		rc = file_sync_parent(path);
	if (rc == KMS_OK && (rc = file_read(path, REGISTER_MAX, &text, &len)) == KMS_OK &&
	    (rc = drop_torn_line(r, text, &len)) == KMS_OK) {
		if (strlen(text) != len) {
			snprintf(
			    why, 200, "it holds NUL octets: restore the register from a backup");
			rc = KMS_E_ALTERED;
		} else {
			rc = load(r, text, why);
		}
	}
	saved = errno;
	free(text);
	if (rc != KMS_OK) {
		register_close(r);
		errno = saved;
		return rc;
	}
	*out = r;
	return KMS_OK;
}

void
register_close(struct issue_register *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r->entries);
	free(r);
}

const struct register_entry *
register_find(const struct issue_register *r, const uint8_t request[32])
{
	for (size_t i = 0; i < r->count; i++)
		if (memcmp(r->entries[i].request, request, 32) == 0)
			return &r->entries[i];
	return NULL;
}

/* First confirmation of its host under its key? */
static bool
is_first(const struct register_entry *e)
{
	return e->confirmation == 1;
}

int
register_next(const struct issue_register *r, const struct host_key *key, struct register_entry *e,
    char why[200])
{
	unsigned hosts = 0, confirmations = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct register_entry *old = &r->entries[i];

		if (memcmp(old->host_key, e->host_key, 16) != 0)
			continue;
		hosts += is_first(old);
		confirmations += memcmp(old->host, e->host, 16) == 0;
	}
	if (confirmations >= key->confirmations) {
		snprintf(why, 200, "this host was confirmed %u times, and its key allows %u",
		    confirmations, key->confirmations);
		return KMS_E_LIMIT;
	}
	if (confirmations == 0 && hosts >= key->hosts) {
		snprintf(
		    why, 200, "%u hosts were confirmed, and the key allows %u", hosts, key->hosts);
		return KMS_E_LIMIT;
	}
	e->serial = r->count + 1;
	e->confirmation = (uint16_t)(confirmations + 1);
	return KMS_OK;
}

int
register_append(struct issue_register *r, const struct register_entry *e)
{
	char line[LINE_ROOM];
	size_t n = format_line(line, e);
	off_t before = lseek(r->fd, 0, SEEK_END);
	int rc;

	if (n == 0)
		return KMS_E_ARGUMENT;
	if (before < 0)
		return file_status(errno);
	if (write(r->fd, line, n) == (ssize_t)n && fsync(r->fd) == 0)
		return KMS_OK;
	rc = file_status(errno);
	if (ftruncate(r->fd, before) != 0)
		return rc; /* the part that stayed has no line end: the next open drops it */
	return rc;
}
