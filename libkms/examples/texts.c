/*
 * texts.c - all texts for users as a template for translators (gettext's .pot), for a product that
 * speaks more languages than libkms. It translates the English text that the library returns:
 *
 *	cc -o texts texts.c $(pkg-config --cflags --libs kms) && ./texts > kms.pot
 *	dgettext("kms", kms_text_status(e, "en"))
 *
 * The comment before each text names the statuses or the licence that it belongs to: a product with
 * a catalogue of another kind takes those as its keys.
 */
#include <kms.h>
#include <stdio.h>
#include <string.h>

#define ROOM 512

struct entry {
	const char *id, *text;
};

static const struct {
	enum kms_licence licence;
	const char *id;
} licences[] = {
	{ KMS_UNLICENSED, "KMS_UNLICENSED" },
	{ KMS_GRACE, "KMS_GRACE" },
	{ KMS_ACTIVATED, "KMS_ACTIVATED" },
	{ KMS_RENEWAL_DUE, "KMS_RENEWAL_DUE" },
	{ KMS_EXPIRED, "KMS_EXPIRED" },
	{ KMS_CLOCK_BACK, "KMS_CLOCK_BACK" },
};

static unsigned
collect(struct entry *out)
{
	unsigned count, used = 0;
	const struct kms_error *e = kms_error_table(&count);

	for (unsigned i = 0; i < sizeof(licences) / sizeof(licences[0]); i++) {
		out[used++] =
		    (struct entry){ licences[i].id, kms_text_licence(licences[i].licence, "en") };
		out[used++] = (struct entry){ licences[i].id,
			kms_text_licence_next(licences[i].licence, "en") };
	}
	for (unsigned i = 0; i < count && used + 2 <= ROOM; i++) {
		out[used++] =
		    (struct entry){ e[i].symbol, kms_text_status((uint32_t)e[i].status, "en") };
		out[used++] = (struct entry){ e[i].symbol,
			kms_text_status_next((uint32_t)e[i].status, "en") };
	}
	return used;
}

/* A text that several statuses have is there once, with all of their names. */
static int
is_first(const struct entry *all, unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (strcmp(all[i].text, all[at].text) == 0)
			return 0;
	return 1;
}

int
main(void)
{
	static struct entry all[ROOM];
	unsigned count = collect(all);

	printf("msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n");
	for (unsigned i = 0; i < count; i++) {
		if (!is_first(all, i))
			continue;
		printf("\n");
		for (unsigned k = i; k < count; k++)
			if (strcmp(all[k].text, all[i].text) == 0)
				printf("#. %s\n", all[k].id);
		/* No text of libkms has a quotation mark or a backslash. */
		printf("msgid \"%s\"\nmsgstr \"\"\n", all[i].text);
	}
	return 0;
}
