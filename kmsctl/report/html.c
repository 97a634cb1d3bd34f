/*
 * html.c - see html.h.
 */
#include "kmsctl/report/html.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/web/page_text.h"

struct html {
	struct output base;
	const char *title; /* NULL: nothing is printed yet */
	uint64_t from, until;
	bool begun, in_list, in_table, in_row;
	/* of the first row of a list, whose labels are the head of its table */
	char *titles, *cells;
	size_t titles_len, cells_len;
	FILE *titles_to, *cells_to;
};

/* As Content-Security-Policy names a text: only this script and this style are obeyed. */
static void
put_source(FILE *to, const char *text)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char base64[sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL)];

	crypto_hash_sha256(hash, (const uint8_t *)text, strlen(text));
	sodium_bin2base64(
	    base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
	fprintf(to, "'sha256-%s'", base64);
}

static void
put_head(FILE *to, const char *title)
{
	fputs(
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src ",
	    to);
	put_source(to, page_css);
	fputs("; script-src ", to);
	put_source(to, page_js);
	fputs("; base-uri 'none'; form-action 'none'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<title>",
	    to);
	fprintf(to, "%s</title>\n<style>", title);
	fputs(page_css, to);
	fputs("</style>\n</head>\n<body class=\"report\">\n<main>\n", to);
}

static void
put_tail(FILE *to)
{
	fputs(
	    "</main>\n<noscript><p>The charts need the script of this file; the tables have all numbers.</p></noscript>\n<script>",
	    to);
	fputs(page_js, to);
	fputs("</script>\n</body>\n</html>\n", to);
}

static void
put_text(FILE *to, const char *text)
{
	char *shown = output_printable(text, false);

	for (const char *c = shown != NULL ? shown : ""; *c != '\0'; c++) {
		switch (*c) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*c, to);
		}
	}
	free(shown);
}

static bool
same_pool(const struct usage_sum *a, const struct usage_sum *b)
{
	return a->pool == b->pool && memcmp(a->publisher, b->publisher, 8) == 0;
}

/* The script draws the chart from it: the first column, the second, and the line at the capacity.
 */
static void
table(FILE *to, const struct usage_sum *s, size_t count, uint64_t capacity, enum period_by by)
{
	static const char *const units[] = { "day", "week", "month" };
	static const char *const titles[] = { "Peak", "At the end", "New", "Renewed", "Given back",
		"Clients", "Refused" };
	char period[PERIOD_TEXT];

	fprintf(
	    to, "<table data-unit=\"%s\" data-capacity=\"%" PRIu64 "\">\n", units[by], capacity);
	fprintf(to, "<thead><tr><th scope=\"col\">%s</th>", period_title(by));
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		fprintf(to, "<th scope=\"col\" class=\"n\">%s</th>", titles[i]);
	fputs("</tr></thead>\n<tbody>\n", to);
	for (size_t i = 0; i < count; i++) {
		period_text(period, s[i].begin, by);
		fprintf(to, "<tr><td>%s</td>", period);
		for (size_t k = 0; k < sizeof(titles) / sizeof(titles[0]); k++)
			fprintf(to, "<td class=\"n\">%" PRIu64 "</td>",
			    (const uint64_t[]){ s[i].peak, s[i].end, s[i].first, s[i].renewals,
				s[i].releases, s[i].clients, s[i].refusals }[k]);
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table>\n", to);
}

static struct html *
begin_file(struct output *o)
{
	char first[OUTPUT_WHEN], last[OUTPUT_WHEN];
	struct html *h = (struct html *)o;

	if (h->begun || h->title == NULL)
		return h;
	h->begun = true;
	put_head(o->file, h->title);
	fprintf(o->file, "<h1>%s</h1>\n<p>From %s to %s.</p>\n", h->title,
	    output_when(first, h->from), output_when(last, h->until));
	return h;
}

void
html_title(struct output *o, const char *title, uint64_t from, uint64_t until)
{
	struct html *h = (struct html *)o;

	h->title = title;
	h->from = from;
	h->until = until;
}

void
html_usage(struct output *o, const struct usage_sums *s, const struct report_pools *pools,
    enum period_by by)
{
	char publisher[POOL_TEXT], name[POOL_TEXT];
	FILE *to = begin_file(o)->base.file;
	size_t count;

	for (size_t i = 0; i < s->count; i += count) {
		const struct usage_sum *at = &s->list[i];
		const struct report_pool *pool = report_pools_find(pools, at->publisher, at->pool);

		for (count = 1; i + count < s->count && same_pool(at, at + count);)
			count++;
		report_pool_names(pools, at->publisher, at->pool, publisher, name);
		fputs("<section>\n<h2>", to);
		put_text(to, publisher);
		fputs(": ", to);
		put_text(to, name);
		fputs("</h2>\n", to);
		table(to, at, count, pool != NULL ? pool->capacity : 0, by);
		fputs("</section>\n", to);
	}
}

/* -- the form -- */

static void
html_open(struct output *o)
{
}

/* The first row waits for its last label. */
static void
put_first(struct html *h)
{
	FILE *to = h->base.file;

	if (h->titles_to == NULL)
		return;
	if (fclose(h->titles_to) != 0 || fclose(h->cells_to) != 0)
		h->base.failed = true;
	else
		fprintf(to, "<table>\n<thead><tr>%s</tr></thead>\n<tbody>\n<tr>%s", h->titles,
		    h->cells);
	free(h->titles);
	free(h->cells);
	h->titles_to = h->cells_to = NULL;
	h->titles = h->cells = NULL;
}

static void
end_row(struct html *h)
{
	put_first(h);
	if (h->in_row)
		fputs("</tr>\n", h->base.file);
	h->in_row = false;
}

static void
html_end(struct output *o)
{
	struct html *h = (struct html *)o;

	end_row(h);
	if (h->in_table)
		fputs("</tbody>\n</table>\n", o->file);
	h->in_list = h->in_table = false;
}

static void
html_begin(struct output *o, const char *key, const char *heading, bool list)
{
	struct html *h = begin_file(o);

	html_end(o);
	h->in_list = list;
	if (heading == NULL || !h->begun)
		return;
	fputs("<h2>", o->file);
	put_text(o->file, heading);
	fputs("</h2>\n", o->file);
}

static void
html_row(struct output *o)
{
	struct html *h = (struct html *)o;

	end_row(h);
	h->in_row = true;
	if (h->in_table) {
		fputs("<tr>", o->file);
		return;
	}
	h->in_table = true;
	h->titles_to = open_memstream(&h->titles, &h->titles_len);
	h->cells_to = open_memstream(&h->cells, &h->cells_len);
	if (h->titles_to != NULL && h->cells_to != NULL)
		return;
	h->base.failed = true;
	if (h->titles_to != NULL)
		fclose(h->titles_to);
	h->titles_to = h->cells_to = NULL;
}

static void
html_field(struct output *o, const struct output_field *f)
{
	struct html *h = (struct html *)o;
	const char *class =
	    f->type == OUTPUT_NUMBER || f->type == OUTPUT_LIMIT ? " class=\"n\"" : "";
	FILE *to = h->titles_to != NULL ? h->cells_to : o->file;
	char *value;

	if (f->label == NULL || !h->begun)
		return;
	if ((value = output_value(f)) == NULL) {
		o->failed = true;
		return;
	}
	if (h->titles_to != NULL) {
		fprintf(h->titles_to, "<th scope=\"col\"%s>", class);
		put_text(h->titles_to, f->label);
		fputs("</th>", h->titles_to);
	}
	if (h->in_row) {
		fprintf(to, "<td%s>", class);
		put_text(to, value);
		fputs("</td>", to);
	} else {
		fputs("<p>", to);
		put_text(to, f->label);
		fputs(": ", to);
		put_text(to, value);
		fputs("</p>\n", to);
	}
	free(value);
}

static void
html_line(struct output *o, enum output_style style, const char *text)
{
	struct html *h = begin_file(o);

	if (!h->begun)
		return;
	html_end(o);
	fputs("<p>", o->file);
	put_text(o->file, text);
	fputs("</p>\n", o->file);
}

static void
html_close(struct output *o)
{
	struct html *h = (struct html *)o;

	html_end(o);
	if (h->begun)
		put_tail(o->file);
}

const struct output_format output_format_html = {
	.size = sizeof(struct html),
	.open = html_open,
	.begin = html_begin,
	.row = html_row,
	.field = html_field,
	.line = html_line,
	.end = html_end,
	.close = html_close,
};
