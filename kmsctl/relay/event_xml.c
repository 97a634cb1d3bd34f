/*
 * event_xml.c - see event_xml.h.
 */
#include "kmsctl/relay/event_xml.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/relay/event_text.h"
#include "libkms/base/hex.h"

#define PREFIX 16                       /* characters */
#define OBJECT_MAX ((ptrdiff_t)1 << 18) /* bytes; more is no event */

/* An element whose name, perhaps behind a prefix, is that: its prefix and name. 0: none. */
static size_t
name_at(const char *p, const char *end, const char *name)
{
	const char *from = p;
	size_t n = strlen(name);

	while (p < end && p - from < PREFIX && isalnum((unsigned char)*p))
		p++;
	p = p < end && *p == ':' ? p + 1 : from;
	if ((size_t)(end - p) <= n || memcmp(p, name, n) != 0 ||
	    (!isspace((unsigned char)p[n]) && p[n] != '>'))
		return 0;
	return (size_t)(p - from) + n;
}

static bool
begins(const char *p, const char *end, const char *name)
{
	return p < end && *p == '<' && name_at(p + 1, end, name) > 0;
}

static bool
ends(const char *p, const char *end, const char *name)
{
	return end - p > 2 && p[0] == '<' && p[1] == '/' && name_at(p + 2, end, name) > 0;
}

static const char *
behind_tag(const char *p, const char *end)
{
	p = memchr(p, '>', (size_t)(end - p));
	return p == NULL ? end : p + 1;
}

/* One that is cut off ends where the next begins. */
static const char *
event_end(const char *p, const char *end)
{
	for (p++; (p = memchr(p, '<', (size_t)(end - p))) != NULL; p++) {
		if (ends(p, end, "Event"))
			return behind_tag(p, end);
		if (begins(p, end, "Event"))
			return p;
	}
	return end;
}

/* With others of its name inside, up to the file's end if it is cut off; NULL: it is too long. */
static const char *
object_end(const char *p, const char *end, const char *name, size_t *left)
{
	const char *last = end - p < OBJECT_MAX ? end : p + OBJECT_MAX, *from = p;
	size_t depth = 1, tried;

	for (p++; (p = memchr(p, '<', (size_t)(last - p))) != NULL && (size_t)(p - from) < *left;
	     p++) {
		if (begins(p, end, name))
			depth++;
		else if (ends(p, end, name) && --depth == 0)
			break;
	}
	tried = (size_t)((p == NULL ? last : p) - from);
	*left -= tried < *left ? tried : *left;
	if (*left == 0 || (p == NULL && last < end))
		return NULL;
	return p == NULL ? end : behind_tag(p, end);
}

const char *
event_xml_end(const char *p, const char *end, size_t *left)
{
	static const char *const objects[] = { "Obj", "Object" };

	if (begins(p, end, "Event"))
		return event_end(p, end);
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (begins(p, end, objects[i]))
			return object_end(p, end, objects[i], left);
	return NULL;
}

bool
event_xml_is_event(const char *p, const char *end)
{
	return begins(p, end, "Event");
}

/* The character of an entity that begins at p, as UTF-8. Returns its length there; 0: none. */
static size_t
entity(const char *p, const char *end, char out[5])
{
	static const struct {
		const char *name, *text;
	} rows[] = { { "&lt;", "<" }, { "&gt;", ">" }, { "&amp;", "&" }, { "&quot;", "\"" },
		{ "&apos;", "'" } };
	uint32_t c = 0;
	size_t i = 2;
	bool hex;

	for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
		size_t n = strlen(rows[j].name);

		if ((size_t)(end - p) >= n && memcmp(p, rows[j].name, n) == 0) {
			memcpy(out, rows[j].text, 2);
			return n;
		}
	}
	if (end - p < 4 || p[1] != '#')
		return 0;
	hex = tolower((unsigned char)p[2]) == 'x';
	for (i += hex; i < 10 && p + i < end && isxdigit((unsigned char)p[i]); i++)
		c = c * (hex ? 16 : 10) + (uint32_t)hex_digit(p[i]);
	if (p + i >= end || p[i] != ';' || c == 0 || c > 0xFFFF || (c >= 0xD800 && c < 0xE000))
		return 0;
	out[event_text_utf8(out, c)] = '\0';
	return i + 1;
}

void
event_xml_put(struct event_buffer *t, const char *p, const char *end)
{
	char text[5];
	const char *and;
	size_t n;

	while ((and = memchr(p, '&', (size_t)(end - p))) != NULL) {
		event_buffer_put(t, p, (size_t)(and-p));
		n = entity(and, end, text);
		if (n > 0)
			event_buffer_put(t, text, strlen(text));
		else
			event_buffer_put(t, and, n = 1);
		p = and+n;
	}
	event_buffer_put(t, p, (size_t)(end - p));
}

/*
 * The line before has "Event Xml:", as Event Viewer copies an event: text, and then the same as
 * XML. Its name ends so in every language.
 */
bool
event_xml_is_copy(const char *text, const char *begin)
{
	const char *end = begin, *p;

	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	for (p = end; p > text && p[-1] != '\n' && end - p < 64; p--)
		;
	if (end - p < 4 || (end[-1] != ':' && memcmp(end - 3, "\xef\xbc\x9a", 3) != 0))
		return false;
	for (; end - p >= 3; p++)
		if (strncasecmp(p, "xml", 3) == 0)
			return true;
	return false;
}
