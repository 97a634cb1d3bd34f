/*
 * notes.c - Example Notes, a small product in C. notes.py is the same in Python.
 *
 *	cc -o notes notes.c $(pkg-config --cflags --libs kms)
 *	./notes FOLDER           shows the notes in this folder
 *	./notes FOLDER NOTE      writes one more, which needs a licence
 */
#include <kms.h>
#include <locale.h>
#include <stdio.h>

#ifndef PUBLISHER_KEY
#define PUBLISHER_KEY "RW... (the second line of publisher.pub)"
#define PRODUCT "the UUID of the product, as in the policy pack"
#endif

/* Whether the product may run. Asks a host when it is time, and tells the user the result. */
static int
licensed(const char *state)
{
	char why[256], edition[64] = "Standard";
	struct kms_options o = { .size = sizeof o };
	struct kms_status_info s = { .size = sizeof s };
	struct kms_result r = { .size = sizeof r };
	struct kms_client *c;
	enum kms_operation operation;
	size_t size = sizeof edition;
	int e;

	o.publisher_key = PUBLISHER_KEY;
	o.product = PRODUCT;
	o.state_file = state;
	o.detail = why;
	o.detail_size = sizeof why;
	if (kms_open(&c, &o) != KMS_OK) {
		fprintf(stderr, "notes: %s\n", why);
		return 0;
	}
	if (kms_next(c, &operation) == 0) {
		e = operation == KMS_RENEW ? kms_renew(c, &r) : kms_activate(c, &r);
		if (e != KMS_OK) /* for a log; a lease that was valid is valid still */
			fprintf(stderr, "notes: %s (%s)\n", r.detail,
			    kms_error_find((uint32_t)e)->symbol);
	}
	kms_status(c, &s);
	kms_entitlement(c, "edition", edition, &size);
	printf("Example Notes, %s: %s. %s\n", edition, kms_text_licence(s.licence, NULL),
	    kms_text_licence_next(s.licence, NULL));
	kms_close(c);
	return s.licence == KMS_GRACE || s.licence == KMS_ACTIVATED || s.licence == KMS_RENEWAL_DUE;
}

int
main(int argc, char **argv)
{
	char notes[1024], state[1024];
	FILE *file;
	int byte, may_write;

	setlocale(LC_ALL, ""); /* the language of kms_text_licence */
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: notes FOLDER [NOTE]\n");
		return 2;
	}
	snprintf(notes, sizeof notes, "%.1000s/notes.txt", argv[1]);
	snprintf(state, sizeof state, "%.1000s/kms.state", argv[1]);
	may_write = licensed(state);
	if (argc == 3 && may_write && (file = fopen(notes, "a")) != NULL) {
		fprintf(file, "%s\n", argv[2]);
		fclose(file);
	}
	if ((file = fopen(notes, "r")) != NULL) {
		while ((byte = getc(file)) != EOF)
			putchar(byte);
		fclose(file);
	}
	return argc == 3 && !may_write;
}
