/*
 * user_text.h - the texts for users, one catalogue for each language. To add a language: a copy of
 * user_text_de.c, translated, and a line in the table of user_text.c.
 *
 * The English texts of statuses are in the one table of statuses (libkms/base/error.c); they are
 * not in a catalogue again.
 */
#ifndef KMS_LIBKMS_CLIENT_USER_TEXT_H
#define KMS_LIBKMS_CLIENT_USER_TEXT_H

#include <stddef.h>

#include "libkms/kms.h"

#define TEXT_LICENCES (KMS_CLOCK_BACK + 1)

/* UTF-8. */
struct text {
	const char *user; /* one clause, no full stop */
	const char *next; /* what that person does next, one sentence */
};

struct text_status {
	uint32_t status;
	struct text text;
};

struct text_catalogue {
	const char *language;               /* two small letters */
	const struct text_status *statuses; /* NULL: English */
	size_t status_count;
	struct text unknown_status;
	struct text licences[TEXT_LICENCES]; /* by enum kms_licence */
	struct text unknown_licence;
};

extern const struct text_catalogue text_german;

/* The catalogue for a language of kms.h; English when there is no other. */
const struct text_catalogue *text_find(const char *language);

#endif
