/*
 * event_lines.c - see event_lines.h.
 *
 * An event has its number on one line and its fields on this line or on another (Event Viewer's
 * message has three lines); a number without fields is one that cannot be read. A quoted cell of
 * several lines belongs to one row.
 */
#include "kmsctl/relay/event_lines.h"

#include <ctype.h>
#include <string.h>

#define ROW_MAX 4096   /* bytes of a row that is read by its columns */
#define LIST_MAX 16384 /* bytes of a list of fields, or of a quoted cell */
#define LIST_LINES 4   /* fewer are no list */

/* What is in one row. */
struct row {
	const char *text, *end;
	size_t line;
	unsigned found, broken, ids;
	size_t id_line, id_digits;
	bool id_named; /* "Id : 12290" */
	/* what is broken, and not yet told; its why is NULL: nothing */
	const char *why;
	size_t broken_line;
	bool have_cmid;
	uint8_t cmid[16];
	struct event_fields last;
};

static const char *
line_end(const char *p, const char *end)
{
	while (p < end && *p != '\n' && *p != '\r')
		p++;
	/* cmd.exe makes \r\r\n of a program's \r\n. */
	while (p + 1 < end && *p == '\r' && (p[1] == '\n' || p[1] == '\r'))
		p++;
	return p < end ? p + 1 : end;
}

/* The quote at p ends a cell: a separator or the end of the line is behind it. */
static bool
closes(const char *p, const char *end)
{
	return p + 1 == end || strchr(",;|\t\r\n", p[1]) != NULL;
}

static bool
opens(const char *p, const char *line)
{
	return p == line || strchr(",;|\t", p[-1]) != NULL;
}

/*
 * The end of the line, with the lines to which a quoted cell that begins on it goes on. Where no
 * quote closes a cell, none is looked for again.
 */
static const char *
row_end(struct event_reader *r, const char *line, const char *end)
{
	const char *first = line_end(line, end), *stop = first;
	bool quoted = false;

	for (const char *p = line; p < stop; p++) {
		if (*p == '"')
			quoted = quoted ? !closes(p, end) : opens(p, line);
		if (p + 1 < stop || !quoted)
			continue;
		if (stop == end || line < r->unclosed || (size_t)(stop - line) > LIST_MAX) {
			r->unclosed = stop > r->unclosed ? stop : r->unclosed;
			return first;
		}
		/* Still in a cell at the end of the line. */
		stop = line_end(stop, end);
	}
	return stop;
}

/* How a row is told from its neighbours is a guess; a copy in it must match well. */
static void
take_found(struct event_reader *r, struct row *row, const struct event_find *f)
{
	size_t line = event_reader_line(r, f->where);

	if (row->found > 0 && event_same(&row->last, &f->fields)) {
		r->log->copies++;
		return;
	}
	/* With a number of its own, it is not that of the number before. */
	if (row->ids > 0)
		event_reader_flush(r);
	row->found++;
	row->last = f->fields;
	event_reader_found(r, &f->fields, line, row->text, (size_t)(row->end - row->text));
}

/* Beside its event, what is broken is the same again. */
static void
tell_broken(struct event_reader *r, struct row *row)
{
	if (row->why == NULL)
		return;
	if (row->found > 0 && row->have_cmid && memcmp(row->cmid, row->last.cmid, 16) == 0)
		r->log->copies++;
	else
		event_reader_broken(r, row->broken_line, row->why);
	row->why = NULL;
}

/* By the names of columns or of fields, when the usual order does not show an event. */
static void
take_named(struct event_reader *r, struct row *row)
{
	size_t len = (size_t)(row->end - row->text);
	struct event_columns c = { 0 };
	struct event_fields e;
	const char *why;

	if (len > ROW_MAX || event_header_read(&r->header, row->text, len))
		return;
	if (r->header.separator != 0)
		event_columns_row(&c, &r->header, row->text, len);
	if (c.at[ROLE_CMID].text == NULL && memchr(row->text, '=', len) != NULL)
		event_columns_words(&c, row->text, len);
	switch (event_columns_event(&c, &e, &why)) {
	case EVENT_FOUND:
		row->found++;
		row->why = NULL;
		event_reader_found(r, &e, row->line, row->text, len);
		break;
	case EVENT_BROKEN:
		if (row->broken++ == 0) {
			row->broken_line = row->line;
			row->why = why;
		}
		break;
	default:
		break;
	}
}

/* Numbers and fields on lines of their own come in turn. */
static void
match(struct event_reader *r, const struct row *row)
{
	bool fields = row->found + row->broken > 0;

	if (fields && row->ids > 0) {
		event_reader_flush(r);
	} else if (fields) {
		r->loose = r->pending == 0;
		r->pending = 0;
	} else if (row->ids > 0 && r->loose && row->id_named) {
		/* A list may have its message before its number. */
		r->loose = false;
	} else if (row->ids > 0) {
		event_reader_flush(r);
		r->pending = row->id_line;
	}
}

/* A second number on another line is another row: the quote that joins the two is none. */
static void
take_id(struct event_reader *r, struct row *row, size_t line, const struct event_word *w)
{
	/* Get-EventLog has the number twice, as EventID and as InstanceId. */
	if (row->ids > 0 && w->len != row->id_digits)
		return;
	if (row->ids > 0 && line != row->id_line) {
		tell_broken(r, row);
		match(r, row);
		row->found = row->broken = row->ids = 0;
	}
	row->ids++;
	row->id_line = line;
	row->id_digits = w->len;
	row->id_named = w->key != NULL;
}

static void
take(struct event_reader *r, struct row *row, const struct event_find *f, enum event_kind kind)
{
	switch (kind) {
	case EVENT_FOUND:
		take_found(r, row, f);
		break;
	case EVENT_BROKEN:
		tell_broken(r, row);
		row->broken++;
		row->broken_line = event_reader_line(r, f->where);
		row->why = f->why;
		row->have_cmid = f->have_cmid;
		memcpy(row->cmid, f->fields.cmid, 16);
		break;
	case EVENT_ID:
		take_id(r, row, event_reader_line(r, f->where), &f->word);
		break;
	case EVENT_END:
		break;
	}
}

/* Returns whether there was an event in the row. */
static bool
end_row(struct event_reader *r, struct row *row)
{
	if (row->found == 0)
		take_named(r, row);
	tell_broken(r, row);
	match(r, row);
	return row->found + row->broken > 0;
}

/* "ErrorCode : 0x0", a line for each field, in any order. */
static void
read_list(struct event_reader *r, const char *text, const char *end, size_t line)
{
	struct event_columns c = { 0 };
	struct event_fields e;
	const char *why;

	if (end - text > LIST_MAX)
		return;
	event_columns_words(&c, text, (size_t)(end - text));
	if (event_columns_event(&c, &e, &why) != EVENT_FOUND)
		return;
	r->pending = 0;
	event_reader_found(r, &e, line, text, (size_t)(end - text));
}

struct list {
	const char *text;
	size_t line, lines;
	bool found; /* an event in the usual order */
};

static void
end_list(struct event_reader *r, struct list *l, const char *end)
{
	if (l->lines >= LIST_LINES && !l->found && !r->stop)
		read_list(r, l->text, end, l->line);
	l->lines = 0;
	l->found = false;
}

static bool
is_empty(const char *text, const char *end)
{
	while (text < end && isspace((unsigned char)*text))
		text++;
	return text == end;
}

void
event_lines(struct event_reader *r, const char *text, const char *end)
{
	struct event_find f;
	struct list list = { 0 };
	enum event_kind kind;

	event_find_start(&f, text, (size_t)(end - text));
	kind = event_find_next(&f);
	for (const char *next; text < end && !r->stop; text = next) {
		struct row row = { .text = text };

		row.end = next = row_end(r, text, end);
		row.line = event_reader_line(r, text);
		if (is_empty(text, next)) {
			end_list(r, &list, text);
			r->loose = false;
			continue;
		}
		if (list.lines++ == 0) {
			list.text = text;
			list.line = row.line;
		}
		for (; kind != EVENT_END && f.where < next && !r->stop; kind = event_find_next(&f))
			take(r, &row, &f, kind);
		list.found |= end_row(r, &row);
	}
	end_list(r, &list, end);
}
