/*
 * config_text.c - kms.ini to struct config by the schema's table and the reader of ini text, and
 * back to text.
 */
#include "kmsd/common/config_text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/config_value.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define ROWS 128

struct parse {
	struct config *c;
	int publisher_line[CONFIG_PUBLISHERS];
	int class_line[CONFIG_CLASSES];
	struct ini_key keys[ROWS];
	struct ini_section sections[INI_SECTIONS_MAX];
	unsigned section_count;
};

static void *
open_section(struct ini_reader *r, const char *argument)
{
	return ((struct parse *)r->arg)->c;
}

static bool
has_record(const struct config_record *d, const struct config *c, const char *name)
{
	for (unsigned i = 0; i < config_record_count(d, c); i++)
		if (strcmp(config_record_at(d, c, i), name) == 0)
			return true;
	return false;
}

/*
 * The name of such a section is used in messages and by kmsctl: letters, digits, dot, underscore
 * and hyphen. lines: in which line each of them begins.
 */
static void *
open_record(struct ini_reader *r, const struct config_record *d, const char *name, int *lines)
{
	static const char good[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	struct config *c = ((struct parse *)r->arg)->c;
	unsigned count = config_record_count(d, c);
	void *fresh;
	size_t len = strlen(name);

	if (len > d->name_max || strspn(name, good) != len) {
		ini_fail(r, r->line,
		    "%s name \"%.48s\": it must be 1 to %zu letters, digits, '.', '_' or '-'",
		    d->word, name, d->name_max);
		return NULL;
	}
	if (has_record(d, c, name)) {
		ini_fail(r, r->line, "%s \"%s\" is given twice", d->word, name);
		return NULL;
	}
	if ((fresh = config_record_add(d, c)) == NULL) {
		ini_fail(r, r->line, "more than %u sections [%s]", d->most, d->section);
		return NULL;
	}
	lines[count] = r->line;
	return memcpy(fresh, name, len);
}

static void *
open_publisher(struct ini_reader *r, const char *name)
{
	return open_record(r, &config_records()[0], name, ((struct parse *)r->arg)->publisher_line);
}

static void *
open_class(struct ini_reader *r, const char *name)
{
	return open_record(r, &config_records()[1], name, ((struct parse *)r->arg)->class_line);
}

static struct ini_key
key_of(const struct config_key *k)
{
	return (struct ini_key){ .name = k->key,
		.read = config_value_reader(k),
		.offset = k->offset,
		.size = k->size,
		.min = k->min,
		.max = k->max,
		.fallback = "",
		.lines = config_value_repeats(k) ? INI_REPEATS : INI_ONE_LINE };
}

/* The schema as the reader of ini text takes it. */
static void
make_sections(struct parse *p)
{
	const struct config_key *k = config_schema();

	for (unsigned i = 0; k[i].section != NULL; i++) {
		const struct config_record *d = config_record_of(&k[i]);
		struct ini_section *s;

		assert(i < ROWS);
		p->keys[i] = key_of(&k[i]);
		if (i == 0 || strcmp(k[i].section, k[i - 1].section) != 0)
			p->sections[p->section_count++] = (struct ini_section){
				.name = d != NULL ? d->word : k[i].section,
				.argument = d != NULL ? "NAME" : NULL,
				.presence = d != NULL ? INI_OPTIONAL : INI_RESUMED,
				.open = d == NULL                   ? open_section
					: d == &config_records()[0] ? open_publisher
								    : open_class,
				.keys = &p->keys[i],
			};
		s = &p->sections[p->section_count - 1];
		s->key_count++;
		assert(s->key_count <= INI_KEYS_MAX && p->section_count < INI_SECTIONS_MAX);
	}
}

/*
 * Do two minisign keys have the same key id, bytes 2 to 9 of 42? In base64, these end with the
 * first two bits of the 14th character.
 */
static bool
same_key_id(const char *a, const char *b)
{
	static const char base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *x, *y;

	if (a[0] == '\0' || strncmp(a, b, 13) != 0)
		return false;
	x = strchr(base64, a[13]);
	y = strchr(base64, b[13]);
	return x != NULL && y != NULL && (x - base64) >> 4 == (y - base64) >> 4;
}

static void
check_publishers(struct ini_reader *r, const struct parse *p)
{
	const struct config_publisher *all = p->c->publishers;
	unsigned i, k;

	for (i = 0; i < p->c->publisher_count; i++)
		for (k = 0; k < i; k++)
			if (same_key_id(all[k].key, all[i].key))
				ini_fail(r, p->publisher_line[i],
				    "[publisher %s] has the same key id as [publisher %s]: each publisher needs its own",
				    all[i].name, all[k].name);
	for (i = 0; i < p->c->publisher_count; i++)
		if (all[i].key[0] == '\0')
			ini_fail(r, p->publisher_line[i], "[publisher %s] has no valid key = RW...",
			    all[i].name);
}

/* Which pools there are, and how many seats, is known by who has the packs (classes.h). */
static void
check_classes(struct ini_reader *r, const struct parse *p)
{
	for (unsigned i = 0; i < p->c->class_count; i++) {
		const struct config_class *class = &p->c->classes[i];
		int line = p->class_line[i];

		if (class->pool[0] == '\0')
			ini_fail(r, line, "[class %s] has no pool = NAME", class->name);
		if (class->publisher[0] != '\0' &&
		    !has_record(&config_records()[0], p->c, class->publisher))
			ini_fail(r, line,
			    "[class %s] names the publisher \"%s\": there is no [publisher %s]",
			    class->name, class->publisher, class->publisher);
		if (class->limit != 0 && class->limit < class->reserve)
			ini_fail(r, line,
			    "[class %s] reserves %u seats, and may have %u: limit must not be below reserve",
			    class->name, class->reserve, class->limit);
	}
}

/* A share takes all four. */
static void
check_share(struct ini_reader *r, const struct config *c)
{
	const struct {
		const char *key, *value;
		bool given;
	} wanted[] = {
		{ "members", "HOST ...", c->share_members.count > 0 },
		{ "authority", "FILE", c->share_authority[0] != '\0' },
		{ "certificate", "FILE", c->share_certificate[0] != '\0' },
		{ "key", "FILE", c->share_key[0] != '\0' },
	};

	for (size_t i = 0; share_configured(c) && i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!wanted[i].given)
			ini_fail(r, 0,
			    "[share] has a name, and needs %s = %s; without a name, this host counts by itself",
			    wanted[i].key, wanted[i].value);
}

/* Errors that involve more than one line. */
static void
check_whole(struct ini_reader *r)
{
	const struct parse *p = r->arg;
	const struct config *c = p->c;

	check_publishers(r, p);
	check_classes(r, p);
	check_share(r, c);
	if (c->passphrase_credential[0] != '\0' && c->passphrase_file[0] != '\0')
		ini_fail(r, 0,
		    "[keys] passphrase_credential and passphrase_file: only one may be given");
	if (c->relay_connect_timeout > c->relay_answer_timeout)
		ini_fail(r, 0, "[relay] connect_timeout is longer than answer_timeout");
	if (strcmp(c->state_directory, c->runtime_directory) == 0)
		ini_fail(r, 0, "state_directory and runtime_directory are the same directory");
	if (c->gss_tsig && c->tsig_key_file[0] != '\0')
		ini_fail(r, 0, "[dns] has both gss_tsig and tsig_key_file: only one may be given");
	if (!c->gss_tsig && c->keytab[0] != '\0')
		ini_fail(r, 0, "[dns] keytab is for Kerberos: it needs gss_tsig = yes");
	if (c->keytab[0] == '\0' && c->principal[0] != '\0')
		ini_fail(r, 0, "[dns] principal selects a key of a keytab: it needs keytab");
}

unsigned
config_parse(struct config *c, const char *text, size_t len, struct fault *faults, unsigned room)
{
	struct parse p = { .c = c };
	const struct ini_format format = { .sections = p.sections,
		.section_count = (make_sections(&p), p.section_count),
		.max = CONFIG_MAX,
		.manual = "kms.ini(5)",
		.check = check_whole };

	config_defaults(c);
	return ini_read_all(&format, &p, text, len, faults, room);
}

void
config_defaults(struct config *c)
{
	struct ini_reader r = { .line = 0 };

	memset(c, 0, sizeof(*c));
	for (const struct config_key *k = config_schema(); k->section != NULL; k++) {
		const struct ini_key key = key_of(k);

		if (config_record_of(k) == NULL)
			key.read(&r, &key, c, k->def);
	}
	assert(r.count == 0);
}

unsigned
config_load(struct config *c, const char *path, struct fault *faults, unsigned room)
{
	struct fault unread = { 0 };
	char *text;
	size_t len;
	unsigned count;
	int rc = file_read(AT_FDCWD, path, FILE_GIVEN, CONFIG_MAX, &text, &len);

	if (rc == KMS_OK) {
		count = config_parse(c, text, len, faults, room);
		free(text);
		return count;
	}
	if (rc == KMS_E_TOO_LARGE)
		fault_set(&unread, rc, "the file is larger than %d bytes", CONFIG_MAX);
	else
		fault_set(&unread, rc, "cannot be read: %s", strerror(errno));
	config_defaults(c);
	if (room > 0)
		faults[0] = unread;
	return 1;
}

/* A list that is too long for one line is written on several. */
static void
print_value(FILE *out, const char *key, const char *value)
{
	size_t room = INI_LINE_MAX - strlen(key) - strlen(" = "), len;

	while ((len = strlen(value)) > room) {
		for (len = room; len > 0 && value[len] != ' '; len--)
			;
		if (len == 0)
			break;
		fprintf(out, "%s = %.*s\n", key, (int)len, value);
		value += len + 1;
	}
	/* One value may have filled its line, written without blanks. */
	if (strlen(value) > room)
		fprintf(out, "%s=%s\n", key, value);
	else
		fprintf(out, "%s =%s%s\n", key, *value ? " " : "", value);
}

static void
print_row(FILE *out, const struct config_key *k, const void *record)
{
	char value[CONFIG_VALUE];

	config_value_text(value, k, record);
	print_value(out, k->key, value);
}

static void
print_records(FILE *out, const struct config_record *d, const struct config *c)
{
	for (unsigned i = 0; i < config_record_count(d, c); i++) {
		const void *record = config_record_at(d, c, i);

		fprintf(out, "\n[%s %s]\n", d->word, (const char *)record);
		for (const struct config_key *k = config_schema(); k->section != NULL; k++)
			if (config_record_of(k) == d)
				print_row(out, k, record);
	}
}

void
config_print(const struct config *c, FILE *out)
{
	const struct config_key *k;
	const char *section = "";

	for (k = config_schema(); k->section != NULL; k++) {
		if (config_record_of(k) != NULL)
			continue;
		if (strcmp(section, k->section) != 0)
			fprintf(out, "%s[%s]\n", *section ? "\n" : "", k->section);
		section = k->section;
		print_row(out, k, c);
	}
	for (const struct config_record *d = config_records(); d->word != NULL; d++)
		print_records(out, d, c);
}
