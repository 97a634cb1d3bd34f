/*
 * product.c - a whole product: it asks whether it may run, has itself activated or renewed when it
 * is time, and tells its user, in the user's language, what is so and what to do.
 *
 *	cc -o product product.c $(pkg-config --cflags --libs kms)
 *	./product STATE [HOST[:PORT]]
 *
 * Put your publisher's public key and your product's UUID here: they are all that a product needs.
 * The text of an error is for two readers: .detail and kms_strerror for an administrator and the
 * log, kms_text_* for the person at the screen.
 */
#include <kms.h>
#include <locale.h>
#include <stdio.h>
#include <time.h>

#ifndef PUBLISHER_KEY
#define PUBLISHER_KEY "RW... (the second line of publisher.pub)"
#endif
#ifndef PRODUCT
#define PRODUCT "the UUID of the product, as in the policy pack"
#endif
#define NAME "Example Product"

static int
may_run(enum kms_licence licence)
{
	return licence == KMS_GRACE || licence == KMS_ACTIVATED || licence == KMS_RENEWAL_DUE;
}

/*
 * Asks a host, which may take half a minute: a product with windows does this in a thread of its
 * own, with a kms_client of its own, and looks at kms_status meanwhile.
 */
static void
ask(struct kms_client *c, enum kms_licence licence)
{
	struct kms_result r = { .size = sizeof r };
	int has_lease = licence == KMS_ACTIVATED || licence == KMS_RENEWAL_DUE;
	int e = has_lease ? kms_renew(c, &r) : kms_activate(c, &r);

	if (e == KMS_OK || e == KMS_E_EXISTS) /* another process is asking just now */
		return;
	fprintf(stderr, "%s: %s (%s)\n", NAME, r.detail, kms_error_find((uint32_t)e)->symbol);
}

static void
tell(const struct kms_status_info *s)
{
	printf("%s: %s. %s\n", NAME, kms_text_licence(s->licence, NULL),
	    kms_text_licence_next(s->licence, NULL));
	/* Why it is not better: of the last attempt, now or hours ago. */
	if (s->licence != KMS_ACTIVATED && s->last_status != KMS_OK)
		printf("%s: %s. %s\n", NAME, kms_text_status(s->last_status, NULL),
		    kms_text_status_next(s->last_status, NULL));
	if (s->customer[0] != '\0')
		printf("Licensed to %s\n", s->customer);
	if (s->licence == KMS_GRACE)
		printf("%u days left\n", (unsigned)((s->grace_left + 1439) / 1440));
}

int
main(int argc, char **argv)
{
	char detail[256];
	struct kms_options o = { .size = sizeof o }; /* the rest is zero: the safe choices */
	struct kms_status_info s = { .size = sizeof s };
	struct kms_client *c;
	int e;

	setlocale(LC_ALL, ""); /* the language of kms_text_* */
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: product STATE [HOST[:PORT]]\n");
		return 2;
	}
	o.publisher_key = PUBLISHER_KEY;
	o.product = PRODUCT;
	o.state_file = argv[1];
	o.host = argc > 2 ? argv[2] : NULL; /* NULL: the host is found in the DNS */
	o.detail = detail;
	o.detail_size = sizeof detail;
	if ((e = kms_open(&c, &o)) != KMS_OK) {
		fprintf(stderr, "%s: %s\n", NAME, detail);
		printf("%s: %s. %s\n", NAME, kms_text_status((uint32_t)e, NULL),
		    kms_text_status_next((uint32_t)e, NULL));
		return 2;
	}
	kms_status(c, &s);
	if (s.next_attempt <= (uint64_t)time(NULL)) {
		ask(c, s.licence);
		kms_status(c, &s);
	}
	tell(&s);
	kms_close(c);
	return may_run(s.licence) ? 0 : 1;
}
