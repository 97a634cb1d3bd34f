/*
 * contacts.c - see contacts.h.
 */
#include "kmsctl/host/contacts.h"

#include <string.h>

void
contacts_print(struct output *o, const struct reply *reply, const char *wanted)
{
	const struct reply_row *row = NULL;
	const char *country;
	bool some = false;

	while ((row = reply_next(reply, "contact", row)) != NULL)
		if ((country = reply_text(row, "country")) != NULL)
			some |= strcmp(country, wanted) == 0;
	if (wanted[0] != '\0' && !some)
		output_line(o, OUTPUT_WARN, "The policy pack has no contact for %s.", wanted);
	output_list(o, "contacts",
	    reply_next(reply, "contact", NULL) != NULL ? "Who confirms by telephone" : NULL);
	while ((row = reply_next(reply, "contact", row)) != NULL) {
		country = reply_text(row, "country");
		if (country == NULL || (some && strcmp(country, wanted) != 0))
			continue;
		output_row(o);
		output_text(o, "country", "Country", country);
		output_text(o, "text", "Contact", reply_text(row, "text"));
	}
	output_end(o);
}
