/*
 * user_text.c - see user_text.h and kms.h; and the English texts of licences.
 */
#include "libkms/client/user_text.h"

#include <stdbool.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "libkms/os/surroundings.h"

static const struct text_catalogue english = {
	.language = "en",
	.licences = {
		[KMS_UNLICENSED] = { "this product has no licence",
		    "Connect to your organisation's network, then try again." },
		[KMS_GRACE] = { "this product has no licence yet, and runs for a limited time",
		    "Connect to your organisation's network before that time ends." },
		[KMS_ACTIVATED] = { "this product is licensed", "Nothing to do." },
		[KMS_RENEWAL_DUE] = { "this product is licensed, and the licence must be renewed soon",
		    "Connect to your organisation's network within the next few days." },
		[KMS_EXPIRED] = { "the licence has expired",
		    "Connect to your organisation's network, then try again." },
		[KMS_CLOCK_BACK] = { "this computer's clock was set back",
		    "Set date and time, then try again." },
	},
	.unknown_licence = { "the licence is in a state that this version does not know",
	    "Ask your administrator." },
};

static const struct text_catalogue *const catalogues[] = { &english, &text_german };

static char
small(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* "de" is the language of "de", "DE", "de_AT.UTF-8", "de-CH" and "de@euro", not of "den". */
static bool
speaks(const struct text_catalogue *c, const char *language)
{
	for (size_t i = 0; i < 2; i++)
		if (small(language[i]) != c->language[i])
			return false;
	return language[2] == '\0' || strchr("_-.@", language[2]) != NULL;
}

const struct text_catalogue *
text_find(const char *language)
{
	if (language == NULL && (language = os_language()) == NULL)
		return &english;
	for (size_t i = 0; i < sizeof(catalogues) / sizeof(catalogues[0]); i++)
		if (speaks(catalogues[i], language))
			return catalogues[i];
	return &english;
}

static struct text
status_text(uint32_t status, const char *language)
{
	const struct text_catalogue *c = text_find(language);
	const struct kms_error *e = kms_error_find(status);

	if (c->statuses == NULL)
		return (struct text){ e->user, e->user_next };
	for (size_t i = 0; i < c->status_count; i++)
		if (c->statuses[i].status == status)
			return c->statuses[i].text;
	return c->unknown_status;
}

static struct text
licence_text(enum kms_licence licence, const char *language)
{
	const struct text_catalogue *c = text_find(language);

	/* Also one that the product made of a number. */
	return (unsigned)licence < TEXT_LICENCES ? c->licences[licence] : c->unknown_licence;
}

const char *
kms_text_status(uint32_t status, const char *language)
{
	return status_text(status, language).user;
}

const char *
kms_text_status_next(uint32_t status, const char *language)
{
	return status_text(status, language).next;
}

const char *
kms_text_licence(enum kms_licence licence, const char *language)
{
	return licence_text(licence, language).user;
}

const char *
kms_text_licence_next(enum kms_licence licence, const char *language)
{
	return licence_text(licence, language).next;
}
