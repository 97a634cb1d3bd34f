/*
 * fuzz_setup.c - what kmsctl setup reads: any file is recognised as something, in words; and any
 * valid kms.ini, with a section written into it, says of everything else what it said before.
 */
#include <string.h>

#include "kmsctl/setup/ini_section.h"
#include "kmsctl/setup/recognise.h"
#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static const struct ini_value values[] = {
	{ .key = "key", .value = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3" },
	{ .key = "policy", .value = "/etc/kms/acme.kmspolicy" },
};

static void
look(const char *text, size_t len)
{
	struct recognised is;

	recognise(&is, text, len);
	MUST(is.what != NULL && is.what[0] != '\0');
	MUST(is.kind != SENT_SIGNED || is.file < FILE_KINDS);
}

/* Everything but the section that was written. */
static void
same_rest(struct config *a, struct config *b)
{
	for (unsigned i = 0, k = 0; i < b->publisher_count; i++) {
		if (strcmp(b->publishers[i].name, "acme") == 0)
			continue;
		while (strcmp(a->publishers[k].name, "acme") == 0)
			k++;
		MUST(k < a->publisher_count);
		MUST(memcmp(&a->publishers[k++], &b->publishers[i], sizeof(a->publishers[0])) == 0);
	}
	memset(a->publishers, 0, sizeof(a->publishers));
	memset(b->publishers, 0, sizeof(b->publishers));
	a->publisher_count = b->publisher_count = 0;
	MUST(memcmp(a, b, sizeof(*a)) == 0);
}

static void
write_section(const char *text, size_t len)
{
	static struct config a, b; /* large */
	char *once = NULL, *twice = NULL;

	if (config_parse(&a, text, len, NULL, 0) > 0)
		return;
	MUST(ini_section_write(&once, text, "publisher", "acme", values, 2) == KMS_OK);
	MUST(ini_section_write(&twice, once, "publisher", "acme", values, 2) == KMS_OK);
	MUST(strcmp(once, twice) == 0);
	/* The key may be another publisher's, or there may be too many. */
	if (config_parse(&b, once, strlen(once), NULL, 0) == 0)
		same_rest(&a, &b);
	free(once);
	free(twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	look(text, size);
	write_section(text, size);
	free(text);
	return 0;
}
