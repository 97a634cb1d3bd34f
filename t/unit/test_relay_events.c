/*
 * test_relay_events.c - event 12290 out of every form in which Windows and log servers export it: a
 * table of files (the fuzz target's seeds) and what each must give, and tables of what is none.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsctl/relay/event_date.h"
#include "kmsctl/relay/event_log.h"
#include "kmsctl/relay/event_text.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define CORPUS "t/fuzz/corpus/fuzz_relay_events"
#define G "1ab2c3d4-0000-4000-8000-0123456789ab"
#define T1015 1795428900 /* 2026-11-23 10:15 */

static const struct {
	const char *file;
	size_t events, unread, ambiguous, copies;
	uint64_t last; /* the time of the last event; 0: none, or it is ambiguous */
} files[] = {
	{ "appended-exports.csv", 2, 0, 0, 0, 1795515300 },
	{ "bare-one-line.txt", 3, 0, 0, 0, 1795342500 },
	{ "bare-then-broken.txt", 1, 1, 0, 0, 1795428900 },
	{ "bare.txt", 3, 0, 0, 0, 1795428900 },
	{ "cef.log", 1, 0, 0, 0, 1795428900 },
	{ "clixml-cut-off.xml", 2, 0, 0, 2, 1795428900 },
	{ "clixml-list.xml", 2, 0, 0, 2, 1795428900 },
	{ "clixml-properties.xml", 2, 0, 0, 2, 1795428900 },
	{ "clixml.xml", 1, 0, 0, 0, 1795428900 },
	{ "columns-ambiguous.csv", 2, 0, 1, 0, 1772532900 },
	{ "columns-and-message.csv", 2, 0, 0, 2, 1795432500 },
	{ "columns-bg.csv", 1, 0, 0, 0, 1767603900 },
	{ "columns-cz.csv", 1, 0, 0, 0, 1767603900 },
	{ "columns-de.csv", 1, 0, 0, 0, 1767603900 },
	{ "columns-fi.csv", 1, 0, 0, 0, 1767603900 },
	{ "columns-gb.csv", 2, 0, 0, 0, 1775250300 },
	{ "columns-hu.csv", 1, 0, 0, 0, 1767603900 },
	{ "columns-iso-row.csv", 1, 0, 0, 0, 1775211300 },
	{ "columns-joined.csv", 2, 0, 0, 0, 1795428900 },
	{ "columns-kr.csv", 1, 0, 0, 0, 1767647100 },
	{ "columns-mixed.csv", 3, 0, 1, 0, 0 },
	{ "columns-narrow-blank.csv", 1, 0, 0, 0, 1769202300 },
	{ "columns-nl.csv", 2, 0, 0, 0, 1767608100 },
	{ "columns-no-status.csv", 0, 1, 0, 0, 0 },
	{ "columns-other-order.csv", 2, 0, 0, 0, 1795428960 },
	{ "columns-persian.csv", 0, 1, 0, 0, 0 },
	{ "columns-se.csv", 1, 0, 0, 0, 1767603900 },
	{ "columns-tabs.txt", 1, 0, 0, 0, 1795428900 },
	{ "columns-th.csv", 1, 0, 0, 0, 1795428900 },
	{ "columns-tw.csv", 1, 0, 0, 0, 1767647100 },
	{ "columns-us.csv", 2, 0, 0, 0, 1772658300 },
	{ "columns-words-de.csv", 1, 0, 0, 0, 1795428900 },
	{ "columns-words-en.csv", 1, 0, 0, 0, 1795428900 },
	{ "convertto-json-array.json", 2, 0, 0, 0, 1795342500 },
	{ "convertto-json-one.json", 1, 0, 0, 0, 1795428900 },
	{ "convertto-json-value.json", 2, 0, 0, 0, 1795342500 },
	{ "convertto-xml.xml", 2, 0, 0, 0, 1795428900 },
	{ "copied-details.txt", 1, 0, 0, 1, 1795428900 },
	{ "cr-cr-lf.csv", 2, 1, 0, 0, 1795428900 },
	{ "cr-only.csv", 2, 0, 0, 0, 1795436100 },
	{ "csv", 1, 0, 0, 0, 1795428900 },
	{ "cut-id.txt", 0, 2, 0, 0, 0 },
	{ "cut-off.xml", 1, 1, 0, 0, 1795428900 },
	{ "elastic-search.json", 3, 0, 0, 3, 1795428900 },
	{ "empty", 0, 0, 0, 0, 0 },
	{ "export-csv-all.csv", 2, 0, 0, 0, 1795428900 },
	{ "export-csv-message.csv", 2, 0, 0, 0, 1795428900 },
	{ "export-csv-no-data.csv", 0, 2, 0, 0, 0 },
	{ "format-list-all.txt", 2, 0, 0, 0, 1795428900 },
	{ "format-list-columns.txt", 2, 0, 0, 0, 1795428960 },
	{ "format-list.txt", 2, 0, 0, 0, 1795428900 },
	{ "format-table-cut.txt", 0, 2, 0, 0, 0 },
	{ "format-table.txt", 2, 0, 0, 0, 1795428960 },
	{ "gelf.json", 1, 0, 0, 1, 1795428900 },
	{ "geteventlog-export.csv", 1, 0, 0, 0, 1795428900 },
	{ "html.html", 1, 0, 0, 0, 1795428900 },
	{ "json-ambiguous.json", 1, 0, 1, 0, 0 },
	{ "json-columns-ets.json", 1, 0, 0, 0, 1795428900 },
	{ "json-columns.json", 2, 0, 0, 0, 1795428960 },
	{ "json-cut-off.json", 1, 1, 0, 0, 1795428900 },
	{ "json-epoch.json", 2, 0, 0, 0, 1795428900 },
	{ "json-escaped-name.json", 1, 0, 0, 0, 1795428900 },
	{ "json-in-syslog.log", 2, 0, 0, 0, 1795342500 },
	{ "json-no-data.json", 1, 1, 0, 0, 1795428900 },
	{ "json-other.json", 0, 0, 0, 0, 0 },
	{ "json-properties.json", 2, 0, 0, 1, 1795342500 },
	{ "json-row-date.json", 1, 0, 0, 0, 1775211300 },
	{ "name-entity.xml", 1, 0, 0, 0, 1795428900 },
	{ "name-lost-letters.csv", 1, 0, 0, 0, 1795428900 },
	{ "name-too-long.csv", 0, 1, 0, 0, 0 },
	{ "name-utf16.csv", 2, 0, 0, 0, 1795428900 },
	{ "names-entities.xml", 1, 0, 0, 0, 1795428900 },
	{ "no-data.xml", 1, 1, 0, 0, 1795428900 },
	{ "nxlog-pairs.log", 1, 0, 0, 0, 1795428900 },
	{ "odd-quote.csv", 3, 2, 0, 0, 1795436100 },
	{ "open-quote.csv", 1, 0, 0, 0, 1795428900 },
	{ "other-events.xml", 0, 0, 0, 0, 0 },
	{ "pairs-any-order.log", 1, 0, 0, 0, 1795428900 },
	{ "pairs-params.log", 1, 0, 0, 0, 1795428900 },
	{ "prefixed.xml", 2, 0, 0, 2, 1795428900 },
	{ "rsyslog-escapes.log", 1, 0, 0, 0, 1795428900 },
	{ "snare.log", 1, 0, 0, 0, 1795428900 },
	{ "splunk.json", 2, 0, 0, 0, 1795428900 },
	{ "syslog.log", 2, 1, 0, 0, 1795428900 },
	{ "two-ends.xml", 2, 0, 0, 0, 1795436100 },
	{ "utf16", 1, 0, 0, 0, 1795428900 },
	{ "viewer-broken-event.csv", 2, 1, 0, 0, 1795515300 },
	{ "viewer-de.csv", 2, 0, 0, 0, 1795428900 },
	{ "viewer-en-bom.csv", 1, 0, 0, 0, 1795428900 },
	{ "viewer-en.csv", 2, 0, 0, 0, 1767603900 },
	{ "viewer-fr-1252.csv", 1, 0, 0, 0, 1795428900 },
	{ "viewer-ja-932.csv", 1, 0, 0, 0, 1795428900 },
	{ "viewer-ja-utf16.txt", 1, 0, 0, 0, 1795428900 },
	{ "viewer-no-quotes.txt", 2, 0, 0, 0, 1795436100 },
	{ "viewer-ru-utf16-no-mark.csv", 1, 0, 0, 0, 1795428900 },
	{ "viewer-utf16be-no-mark.csv", 1, 0, 0, 0, 1795428900 },
	{ "viewer-zh-utf16be.csv", 1, 0, 0, 0, 1795428900 },
	{ "viewer.xml", 2, 0, 0, 2, 1795436100 },
	{ "wevtutil-pretty.xml", 1, 0, 0, 0, 1795428900 },
	{ "wevtutil-rendered.xml", 2, 0, 0, 2, 1767603900 },
	{ "wevtutil-strings.xml", 1, 0, 0, 0, 1795428900 },
	{ "wevtutil-utf16.xml", 1, 0, 0, 0, 1795428900 },
	{ "wevtutil.txt", 2, 1, 0, 0, 1795436100 },
	{ "wevtutil.xml", 2, 0, 0, 0, 1795436100 },
	{ "winlogbeat-params.ndjson", 1, 0, 0, 0, 1795428900 },
	{ "winlogbeat.ndjson", 2, 0, 0, 2, 1795428900 },
	{ "wmic.csv", 1, 0, 0, 0, 1795428900 },
	{ "xml", 1, 0, 0, 0, 1795428900 },
	{ "xml-as-json.json", 1, 0, 0, 0, 1795428900 },
	{ "xml-in-json.json", 1, 0, 0, 0, 1795428900 },
	{ "xml-in-syslog.log", 1, 0, 0, 0, 1795428900 },
	{ "zeros", 0, 0, 0, 0, 0 },
	{ "zones.csv", 2, 0, 0, 0, 1795428900 },
};

/* What was given. */
struct seen {
	size_t count, stop;
	struct event_12290 first, last;
};

static int
keep(const struct event_12290 *e, void *arg)
{
	struct seen *s = arg;

	if (s->count++ == 0)
		s->first = *e;
	s->last = *e;
	return s->stop != 0 && s->count == s->stop;
}

static void
open_corpus(int *dirfd)
{
	const char *src = getenv("KMS_SRC");
	char path[FILE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", src != NULL ? src : ".", CORPUS);
	*dirfd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(*dirfd >= 0);
}

static int
has_row(const char *name, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(files[i].file, name) == 0)
			return 0;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "evtx") == 0 ||
	    strncmp(name, "found-", 6) == 0) /* of the fuzzer */
		return 0;
	fail_msg("%s has no row in the table", name);
	return 1;
}

static void
test_files(void **state)
{
	int dirfd;

	open_corpus(&dirfd);
	file_each(dirfd, ".", "", has_row, NULL);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct event_log log = { 0 };
		struct fault f = { 0 };
		struct seen s = { 0 };
		char *text = NULL;
		size_t len = 0;

		if (file_read(dirfd, files[i].file, FILE_GIVEN, EVENT_LOG_MAX, &text, &len) !=
		    KMS_OK)
			fail_msg("%s", files[i].file);
		assert_int_equal(event_log_read(text, len, &log, keep, &s, &f), KMS_OK);
		if (log.events != files[i].events || log.unread != files[i].unread ||
		    log.ambiguous != files[i].ambiguous || log.copies != files[i].copies ||
		    s.count != log.events)
			fail_msg("%s: %zu events, %zu unread, %zu ambiguous, %zu copies",
			    files[i].file, log.events, log.unread, log.ambiguous, log.copies);
		if (s.last.time != files[i].last)
			fail_msg("%s: the last is of %llu", files[i].file,
			    (unsigned long long)s.last.time);
		assert_int_equal(log.named_count, log.unread + log.ambiguous);
		free(text);
	}
	close(dirfd);
	(void)state;
}

/* One line or a few, and what is in the first event. */
static const struct {
	const char *text;
	size_t events, unread;
} rows[] = {
	{ "0x0,25,PC1.example.com," G ",2026/11/23 10:15,0,1,43200,SKU", 1, 0 },
	{ "<Event><System><EventID>12290</EventID></System><EventData><Data>0x0</Data><Data>25</Data><Data>pc1.example.com</Data><Data>{" G
	  "}</Data><Data>2026/11/23 10:15</Data></EventData></Event>",
	    1, 0 },
	{ "<Data>0xC004F042,5,pc1.example.com," G
	  ",2026/11/23 10:16,0</Data>\n<Data>0x0,25,pc1.example.com," G
	  ",2026/11/23 10:15,0</Data>",
	    2, 0 },
	{ "0x0, 25, pc1.example.com, " G ", 2026/11/23 10:15", 1, 0 },
	{ "0x0 25 pc1.example.com " G " 2026/11/23 10:15", 1, 0 },
	{ "0,25,pc1.example.com," G ",2026/11/23 10:15", 1, 0 },
	{ "0x0,25,pc1.example.com,{1AB2C3D400004000800001234567"
	  "89AB},2026/11/23 10:15",
	    1, 0 },
	{ "0x0;25;pc1.example.com;" G ";23.11.2026 10:15:00", 1, 0 },
	{ "0x0,25,pc1.example.com," G ",\r\n2026/11/23 10:15", 1, 0 },
	{ "", 0, 0 },
	{ "<", 0, 0 },
	{ "<<<>>>,,,\"\"", 0, 0 },
	{ "{", 0, 0 },
	{ "{\"", 0, 0 },
	{ "[{\"Id\":", 0, 0 },
	{ "<Event ", 0, 0 },
	{ "0x0,25,pc1.example.com", 0, 0 },
	{ "0x0,25,pc1.example.com," G, 0, 1 },
	{ "0x,25,pc1.example.com," G ",2026/11/23 10:15", 0, 1 },
	{ "0x100000000,25,pc1.example.com," G ",2026/11/23 10:15", 0, 1 },
	{ "0x0,-1,pc1.example.com," G ",2026/11/23 10:15", 0, 1 },
	{ "0x0,4294967296,pc1.example.com," G ",2026/11/23 10:15", 0, 1 },
	{ "0x0,25,," G ",2026/11/23 10:15", 0, 0 },
	{ "12290,0x0,25,," G ",2026/11/23 10:15", 0, 1 },
	{ "0x0,25,pc1/example," G ",2026/11/23 10:15", 0, 1 },
	{ "0x0,25,1234," G ",2026/11/23 10:15", 0, 1 },
	{ "0x0,25,pc1.example.com,1ab2c3d4-0000-4000-8000-0123456789a,2026/11/23 10:15", 0, 1 },
	{ "0x0,25,pc1.example.com,1ab2c3d4-0000-4000-8000-0123456789ag,2026/11/23 10:15", 0, 1 },
	{ "0x0,25,pc1.example.com,00000000-0000-0000-0000-000000000000,2026/11/23 10:15", 0, 1 },
	{ "0x0,25,pc1.example.com," G ",2026/13/23 10:15", 0, 1 },
	{ "0x0,25,pc1.example.com," G ",2026/2/29 10:15", 0, 1 },
	{ "0x0,25,pc1.example.com," G ",2026/11/23 24:15", 0, 1 },
	{ "0x0,25,pc1.example.com," G ",1999/11/23 10:15", 0, 1 },
	{ "0x0,25,pc1.example.com," G ",2026/11/23", 0, 1 },
	{ "0x0,25,pc1.example.com," G "\n2026/11/23 10:15 the next line", 0, 1 },
	{ "0x0,25,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa," G
	  ",2026/11/23 10:15",
	    0, 1 },
	/* The number alone is an event without its fields, unless it is another number. */
	{ "Information,12290,None,", 0, 1 },
	{ "EventID=12290\nEventID=12290\nEventID=12290\n", 0, 3 },
	{ "RecordNumber=12290 pid=12290 ProcessId: 12290", 0, 0 },
	{ "sshd[112290]: 122901", 0, 0 },
	/* Other events of the same source. */
	{ "12288: 0x0, 0x0, kms1.example.com:1688, " G ", 2026/11/23 10:15, 0, 1, 43200, " G ", 25",
	    0, 0 },
	{ "0x80000000000000,17,Microsoft-Windows-Security-SPP,{" G "}", 0, 0 },
};

static size_t
read_text(const char *text, size_t len, struct event_log *log, struct seen *s)
{
	struct fault f = { 0 };

	*s = (struct seen){ 0 };
	assert_int_equal(event_log_read(text, len, log, keep, s, &f), KMS_OK);
	assert_int_equal(s->count, log->events);
	return log->events;
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event_log log = { 0 };
		struct seen s;
		size_t n = read_text(rows[i].text, strlen(rows[i].text), &log, &s);

		if (n != rows[i].events || log.unread != rows[i].unread)
			fail_msg("%s: %zu events, %zu unread", rows[i].text, n, log.unread);
		if (n == 0)
			continue;
		assert_string_equal(s.last.name, "pc1.example.com");
		assert_int_equal(s.last.count, 25);
		assert_int_equal(s.last.status, 0);
		assert_int_equal(s.last.cmid[0], 0x1a);
		assert_int_equal(s.last.time, T1015);
		assert_int_equal(s.first.status, n == 2 ? 0xc004f042 : 0);
	}
	(void)state;
}

/* A problem is named by its line and its number; all are counted. */
static void
test_problems(void **state)
{
	char text[EVENT_LOG_NAMED * 2 * 32] = "";
	struct event_log log = { 0 };
	struct seen s;

	strcpy(text, "0x0,25,pc1.example.com," G
		     ",2026/11/23 10:15\r\n\r\n0x0,25,pc1.example.com," G ",2026/11/99 10:15\r\n");
	read_text(text, strlen(text), &log, &s);
	assert_int_equal(log.named_count, 1);
	assert_int_equal(log.named[0].line, 3);
	assert_int_equal(log.named[0].number, 2);
	assert_string_equal(log.named[0].why, "its date cannot be read");
	/* The date of a refusal is not needed. */
	strcpy(text, "0xC004F042,25,pc1.example.com," G ",03/04/2026 10:15\r\n");
	log = (struct event_log){ 0 };
	assert_int_equal(read_text(text, strlen(text), &log, &s), 1);
	assert_int_equal(log.ambiguous, 0);
	text[0] = '\0';
	for (size_t i = 0; i < EVENT_LOG_NAMED + 5; i++)
		strcat(text, "EventID=12290\n");
	log = (struct event_log){ 0 };
	read_text(text, strlen(text), &log, &s);
	assert_int_equal(log.unread, EVENT_LOG_NAMED + 5);
	assert_int_equal(log.named_count, EVENT_LOG_NAMED);
	assert_int_equal(log.named[EVENT_LOG_NAMED - 1].line, EVENT_LOG_NAMED);
	(void)state;
}

/* The person's word is the last; without it, the file's other dates; else it is not guessed. */
static void
test_order(void **state)
{
	static const struct {
		const char *more;
		enum event_dates given, said;
		uint64_t time;
	} orders[] = {
		{ "", EVENT_DATES_UNKNOWN, EVENT_DATES_UNKNOWN, 0 },
		{ "", EVENT_DATES_DMY, EVENT_DATES_UNKNOWN, 1775211300 },
		{ "", EVENT_DATES_MDY, EVENT_DATES_UNKNOWN, 1772619300 },
		{ "23/11/2026", EVENT_DATES_UNKNOWN, EVENT_DATES_DMY, 1775211300 },
		{ "11/23/2026", EVENT_DATES_UNKNOWN, EVENT_DATES_MDY, 1772619300 },
		{ "11\\/23\\/2026", EVENT_DATES_UNKNOWN, EVENT_DATES_MDY, 1772619300 },
		{ "11/23/2026 23/11/2026", EVENT_DATES_UNKNOWN, EVENT_DATES_MIXED, 0 },
		{ "11/23/2026", EVENT_DATES_DMY, EVENT_DATES_MDY, 1775211300 },
		/* not dates of that kind */
		{ "2026/11/23 111/23/2026 11/23/26 11-23/2026 31/31/2026", EVENT_DATES_UNKNOWN,
		    EVENT_DATES_UNKNOWN, 0 },
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct event_log log = { .dates = orders[i].given };
		struct seen s;
		char text[256];

		snprintf(text, sizeof(text), "0x0,25,pc1.example.com,%s,03/04/2026 10:15:00\n%s\n",
		    G, orders[i].more);
		assert_int_equal(read_text(text, strlen(text), &log, &s), 1);
		assert_int_equal(log.dates, orders[i].said);
		assert_int_equal(s.last.time, orders[i].time);
		assert_int_equal(log.ambiguous, orders[i].time == 0);
	}
	(void)state;
}

static void
test_dates(void **state)
{
	static const struct {
		const char *text;
		uint64_t dmy, mdy;
		size_t left; /* characters that are no part of it */
	} dates[] = {
		{ "2026/11/23 10:15", T1015, T1015, 0 },
		{ "2026/11/23 10:15,0,1", T1015, T1015, 4 },
		{ "2026-11-23T10:15:00Z", T1015, T1015, 0 },
		{ "2026-11-23T11:15:00.1234567+01:00", T1015, T1015, 0 },
		{ "2026-11-23T05:15:00-0500", T1015, T1015, 0 },
		{ "23.11.2026 10:15:00", T1015, T1015, 0 },
		{ "23.11.26 10:15:00", T1015, T1015, 0 },
		{ "23. 11. 2026 10:15:00", T1015, T1015, 0 },
		{ "23.11.2026. 10:15:00", T1015, T1015, 0 },
		{ "2026. 11. 23. 10:15:00", T1015, T1015, 0 },
		{ "23.11.2026 10.15.00", T1015, T1015, 0 },
		{ "23/11/2026, 10:15:00", T1015, T1015, 0 },
		{ "11/23/2026 10:15:00 AM", T1015, T1015, 0 },
		{ "11/23/2026 10:15 am", T1015, T1015, 0 },
		{ "23/11/2026 10:15:00 a. m.", T1015, T1015, 0 },
		{ "2026/11/23 上午 10:15:00", T1015, T1015, 0 },
		{ "2026-11-23 오전 10:15:00", T1015, T1015, 0 },
		{ "23/11/2569 10:15:00", T1015, T1015, 0 },
		{ "/Date(1795428900000)/", T1015, T1015, 2 },
		{ "/Date(1795428900000+0100)/", T1015, T1015, 7 },
		{ "2026\\/11\\/23 10:15", T1015, T1015, 0 },
		{ "11/23/2026 12:15:00 AM", T1015 - 36000, T1015 - 36000, 0 },
		{ "11/23/2026 12:15:00 PM", T1015 + 7200, T1015 + 7200, 0 },
		{ "03/04/2026 10:15", 1775211300, 1772619300, 0 },
		{ "03-04-2026 10:15", 1775211300, 1772619300, 0 },
		{ "2028/2/29 0:00", 1835395200, 1835395200, 0 },
		{ "", 0, 0, 0 },
		{ "2026", 0, 0, 0 },
		{ "2026/11/23", 0, 0, 0 },
		{ "2026/11/23 10", 0, 0, 0 },
		{ "2026/11/23 10:1", 0, 0, 0 },
		{ "2026/11/23 10:60", 0, 0, 0 },
		{ "2026/11/23 25:15", 0, 0, 0 },
		{ "11/23/2026 13:15 AM", 0, 0, 0 },
		{ "2026/0/23 10:15", 0, 0, 0 },
		{ "2026/11/0 10:15", 0, 0, 0 },
		{ "2026/11/31 10:15", 0, 0, 0 },
		{ "2026/2/29 10:15", 0, 0, 0 },
		{ "2026/11-23 10:15", 0, 0, 0 },
		{ "202/11/23 10:15", 0, 0, 0 },
		{ "12026/11/23 10:15", 0, 0, 0 },
		{ "11/23/26 10:15", 0, 0, 0 },
		{ "1405/09/02 10:15", 0, 0, 0 },
		{ "99/99/2026 10:15", 0, 0, 0 },
		{ "/Date()/", 0, 0, 0 },
		{ "/Date(-1)/", 0, 0, 0 },
		{ "/Date(99999999999999999999)/", 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		const char *text = dates[i].text, *end;
		struct event_date d;

		end = event_date_read(text, text + strlen(text), &d);
		if ((end == NULL) != (dates[i].dmy == 0) ||
		    (end != NULL && (d.dmy != dates[i].dmy || d.mdy != dates[i].mdy ||
					strlen(end) != dates[i].left)))
			fail_msg("%s: %llu %llu, left %s", text, (unsigned long long)d.dmy,
			    (unsigned long long)d.mdy, end == NULL ? "all" : end);
	}
	(void)state;
}

static void
test_text(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} texts[] = {
		{ "abc", 3, "abc" },
		{ "\xef\xbb\xbf"
		  "abc",
		    6, "abc" },
		{ "b\xc3\xbcro", 5, "b\xc3\xbcro" },
		{ "b\xfcro \x80", 6, "b\xc3\xbcro \xe2\x82\xac" },
		{ "a\x81"
		  "b",
		    3,
		    "a\xef\xbf\xbd"
		    "b" },
		{ "\xff\xfe"
		  "a\0\xfc\0",
		    6, "a\xc3\xbc" },
		{ "\xfe\xff\0a\0\xfc", 6, "a\xc3\xbc" },
		{ "a\0b\0c\0", 6, "abc" },
		{ "\0a\0b\0c", 6, "abc" },
		{ "\xff\xfe"
		  "\x3d\xd8\0\xde"
		  "a",
		    7, "\xf0\x9f\x98\x80" },
		{ "\xff\xfe"
		  "\x3d\xd8"
		  "a\0",
		    6,
		    "\xef\xbf\xbd"
		    "a" },
		{ "\xff\xfe", 2, "" },
		{ "1\xe2\x80\x8e/2", 6, "1/2" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *out = NULL;
		size_t len = 0;

		assert_int_equal(event_text_decode(texts[i].in, texts[i].len, &out, &len), KMS_OK);
		assert_string_equal(out, texts[i].out);
		assert_int_equal(len, strlen(texts[i].out));
		free(out);
	}
	(void)state;
}

/* What is no text is named for what it is. */
static void
test_refused(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *said; /* NULL: it may be text */
	} magics[] = {
		{ "ElfFile\0\0\0", 10, ".evtx" },
		{ "\x30\0\0\0LfLe", 8, ".evt" },
		{ "PK\3\4....", 8, ".xlsx" },
		{ "\x1f\x8b\x08", 3, "gzip" },
		{ "ElfFil", 6, NULL },
		{ "PK", 2, NULL },
		{ "", 0, NULL },
	};

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		struct event_log log = { 0 };
		struct fault f = { 0 };
		struct seen s = { 0 };
		int rc = event_log_read(magics[i].in, magics[i].len, &log, keep, &s, &f);

		assert_int_equal(rc, magics[i].said != NULL ? KMS_E_FORMAT : KMS_OK);
		if (magics[i].said != NULL)
			assert_non_null(strstr(f.text, magics[i].said));
	}
	(void)state;
}

/* The caller may have enough. */
static void
test_stop(void **state)
{
	static const char text[] =
	    "0x0,25,a," G ",2026/11/23 10:15\n0x0,25,b," G ",2026/11/23 10:15\n"
	    "[{\"Message\":\"0x0,25,c," G ",2026/11/23 10:15\"}]";

	for (size_t stop = 1; stop <= 3; stop++) {
		struct event_log log = { 0 };
		struct fault f = { 0 };
		struct seen s = { .stop = stop };

		assert_int_equal(event_log_read(text, strlen(text), &log, keep, &s, &f), KMS_OK);
		assert_int_equal(s.count, stop);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
