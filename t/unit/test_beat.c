/*
 * test_beat.c - beats: each field there and back, everything that no host writes, and certificates
 * that have no room; then members: who is followed, and what an old beat changes.
 */
#include <sodium.h>

#include "kmsd/activate/share/own_rights.h"
#include "libkms/core/certificate.h"
#include "t/unit/core_test.h"

static uint8_t seed[32] = { 7 }, pk[32], sk[64], own[16];
static uint8_t certificates[3][CERTIFICATE_MAX];

/* With two chains, two wants and two certificates, which are only as long as one may be. */
static void
fill(struct beat *b)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->sign_pk, pk, sizeof(pk));
	strcpy(b->share, "site-1");
	strcpy(b->name, "kms1.example");
	b->time = 1800000000;
	b->head = 7;
	memset(b->hash, 0x77, sizeof(b->hash));
	b->heard_count = b->want_count = b->certificate_count = 2;
	b->heard[0] = (struct beat_heard){ { 1 }, 5 };
	b->heard[1] = (struct beat_heard){ { 1, 1 }, UINT64_MAX };
	b->wants[0] = (struct beat_want){ { 9 }, 1, 16 };
	b->wants[1] = (struct beat_want){ { 9 }, 2, UINT32_MAX };
	for (uint8_t i = 0; i < 3; i++) {
		certificates[i][8] = i;
		b->certificates[i] = (struct beat_octets){ certificates[i], CERTIFICATE_FIXED };
	}
}

static size_t
sign(uint8_t *octets, size_t len)
{
	crypto_sign_detached(octets + len, NULL, octets, len, sk);
	return len + BEAT_SIGNATURE;
}

static size_t
make(uint8_t out[SHARE_BEAT_MAX], const struct beat *b)
{
	unsigned left;
	size_t len = beat_write(out, b, &left);

	assert_true(len > 0);
	assert_int_equal(left, 0);
	return sign(out, len);
}

static int
decode(const uint8_t *in, size_t len)
{
	struct beat b;

	return beat_open(&b, in, len);
}

static void
test_there_and_back(void **ignored)
{
	uint8_t octets[SHARE_BEAT_MAX], again[SHARE_BEAT_MAX];
	struct beat b, out;
	size_t len;
	unsigned left;

	fill(&b);
	len = make(octets, &b);
	assert_true(beat_of(octets, len - BEAT_SIGNATURE, pk));
	assert_false(beat_of(octets, len - BEAT_SIGNATURE, sk));
	assert_int_equal(beat_open(&out, octets, len), KMS_OK);
	assert_memory_equal(out.host, own, 16);
	assert_string_equal(out.share, b.share);
	assert_string_equal(out.name, b.name);
	assert_true(out.time == b.time && out.head == b.head);
	assert_memory_equal(out.hash, b.hash, 32);
	assert_int_equal(out.heard_count, 2);
	assert_memory_equal(out.heard, b.heard, sizeof(b.heard));
	assert_true(beat_heard_of(&out, b.heard[1].host) == UINT64_MAX);
	assert_true(beat_heard_of(&out, own) == 0);
	assert_int_equal(out.want_count, 2);
	assert_true(out.wants[1].pool == 2 && out.wants[1].rights == UINT32_MAX);
	assert_int_equal(out.certificate_count, 2);
	assert_int_equal(out.certificates[1].len, CERTIFICATE_FIXED);
	assert_memory_equal(out.certificates[1].octets, certificates[1], CERTIFICATE_FIXED);
	assert_int_equal(beat_write(again, &out, &left), len - BEAT_SIGNATURE);
	assert_memory_equal(again, octets, len - BEAT_SIGNATURE);
	for (size_t n = 0; n < len; n++)
		assert_int_not_equal(decode_exact(decode, octets, n), KMS_OK);
	assert_int_equal(decode_exact(decode, octets, len), KMS_OK);
	for (size_t n = 0; n < len; n++) {
		octets[n] ^= 1;
		assert_int_not_equal(decode_exact(decode, octets, len), KMS_OK);
		octets[n] ^= 1;
	}
}

/* Behind the key: share 1 + 6, name 1 + 12, then time, head, hash, and the lists. */
#define AT_SHARE 40
#define AT_NAME (AT_SHARE + 7)
#define AT_HEAD (AT_NAME + 13 + 8)
#define AT_HEARD (AT_HEAD + 8 + 32)
#define AT_WANTS (AT_HEARD + 1 + 2 * 24)
#define AT_CERTIFICATES (AT_WANTS + 1 + 2 * 14)

static const struct bad_field bad[] = {
	{ "another format", 0, 'X', 1, KMS_E_FORMAT },
	{ "another version", 7, '2', 1, KMS_E_SCHEMA },
	{ "a share without a name", AT_SHARE, 0, 1, KMS_E_FORMAT },
	{ "a share's name that is too long", AT_SHARE, SHARE_NAME + 1, 1, KMS_E_FORMAT },
	{ "a capital letter in it", AT_SHARE + 1, 'S', 1, KMS_E_FORMAT },
	{ "a zero in it", AT_SHARE + 2, 0, 1, KMS_E_FORMAT },
	{ "a host's name that is too long", AT_NAME, MESSAGE_NAME + 1, 1, KMS_E_FORMAT },
	{ "a control character in it", AT_NAME + 2, 0x1b, 1, KMS_E_FORMAT },
	{ "bytes that are no UTF-8", AT_NAME + 2, 0xff, 1, KMS_E_FORMAT },
	{ "a hash without a batch", AT_HEAD, 0, 8, KMS_E_FORMAT },
	{ "too many chains", AT_HEARD, BEAT_HEARD + 1, 1, KMS_E_FORMAT },
	{ "a chain too few", AT_HEARD, 1, 1, KMS_E_TRAILING },
	{ "a chain of which nothing was heard", AT_HEARD + 1 + 16, 0, 8, KMS_E_FORMAT },
	{ "chains that do not ascend", AT_HEARD + 1, 0x0101, 2, KMS_E_FORMAT },
	{ "chains in another order", AT_HEARD + 1, 2, 1, KMS_E_FORMAT },
	{ "too many wants", AT_WANTS, BEAT_WANTS + 1, 1, KMS_E_FORMAT },
	{ "a want of nothing", AT_WANTS + 1 + 10, 0, 4, KMS_E_FORMAT },
	{ "a want that comes twice", AT_WANTS + 1 + 8, 2, 2, KMS_E_FORMAT },
	{ "wants in another order", AT_WANTS + 1, 10, 1, KMS_E_FORMAT },
	{ "too many certificates", AT_CERTIFICATES, BEAT_CERTIFICATES + 1, 1, KMS_E_FORMAT },
	{ "a certificate that is too short", AT_CERTIFICATES + 1, CERTIFICATE_FIXED - 1, 2,
	    KMS_E_TRAILING },
	{ "a certificate that is too long", AT_CERTIFICATES + 1, CERTIFICATE_MAX + 1, 2,
	    KMS_E_FORMAT },
	{ "certificates of one publisher", AT_CERTIFICATES + 1 + 2 + 8, 1, 1, KMS_E_FORMAT },
	{ "a certificate less", AT_CERTIFICATES, 1, 1, KMS_E_TRAILING },
};

static void
test_bad(void **ignored)
{
	uint8_t octets[SHARE_BEAT_MAX + 1], good[SHARE_BEAT_MAX];
	struct beat b;
	size_t len;

	fill(&b);
	len = make(good, &b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(octets, good, len);
		bad_field_apply(&bad[i], octets);
		sign(octets, len - BEAT_SIGNATURE);
		if (decode(octets, len) != bad[i].status)
			fail_msg("%s: %d", bad[i].what, decode(octets, len));
	}
	memcpy(octets, good, len);
	memcpy(octets + AT_HEARD + 1, own, 16);
	sign(octets, len - BEAT_SIGNATURE);
	assert_int_equal(decode(octets, len), KMS_E_FORMAT);
	memset(octets, 0, sizeof(octets));
	memcpy(octets, good, len);
	assert_int_equal(decode(octets, len + 1), KMS_E_TRAILING);
	assert_int_equal(decode(octets, SHARE_BEAT_MAX + 1), KMS_E_TOO_LARGE);
	memcpy(octets, good, len);
	octets[len - 1] ^= 1;
	assert_int_equal(decode(octets, len), KMS_E_SIGNATURE);
}

/* As many as have room, whatever else is in the beat. */
static void
test_certificates(void **ignored)
{
	uint8_t octets[SHARE_BEAT_MAX];
	struct beat b;
	unsigned left;
	size_t len;

	fill(&b);
	b.certificate_count = 3;
	for (unsigned i = 0; i < 3; i++)
		b.certificates[i].len = CERTIFICATE_MAX;
	len = beat_write(octets, &b, &left);
	assert_int_equal(left, 1);
	assert_int_equal(decode(octets, sign(octets, len)), KMS_OK);
	b.heard_count = b.want_count = 64;
	for (uint8_t i = 0; i < 64; i++) {
		b.heard[i] = (struct beat_heard){ { i }, 1 };
		b.wants[i] = (struct beat_want){ { 9 }, i, 1 };
	}
	memset(b.name, 'n', MESSAGE_NAME);
	memset(b.share, 's', SHARE_NAME);
	len = beat_write(octets, &b, &left);
	assert_int_equal(left, 2);
	assert_int_equal(decode(octets, sign(octets, len)), KMS_OK);
	b.heard[3].number = 0;
	assert_int_equal(beat_write(octets, &b, &left), 0);
	b.heard[3].number = 1;
	b.heard_count = 65;
	assert_int_equal(beat_write(octets, &b, &left), 0);
}

/* -- members -- */

static struct publishers publishers;
static uint8_t publisher_sk[64];

static void
make_publisher(void)
{
	static struct publisher p;
	static const uint8_t id[8] = { 0xab };
	uint8_t publisher_seed[32] = { 99 };

	crypto_sign_seed_keypair(p.public.key.pk, publisher_sk, publisher_seed);
	memcpy(p.public.key.id, id, 8);
	p.confirmed = true;
	strcpy(p.certificate.customer, "Example University");
	publishers.list = &p;
	publishers.count = 1;
}

static size_t
make_certificate(uint8_t out[CERTIFICATE_MAX], const char *customer, const uint8_t key[32])
{
	struct certificate c = { .publisher = { 0xab },
		.not_after = 1,
		.confirmation = 1,
		.product_count = 1,
		.serial = 1 };
	size_t len;

	memcpy(c.sign_pk, key, 32);
	strcpy(c.customer, customer);
	strcpy(c.group, "all");
	c.products[0][0] = 1;
	len = certificate_encode(out, CERTIFICATE_MAX, &c);
	assert_true(len > 0);
	crypto_sign_detached(out + len, NULL, out, len, publisher_sk);
	return len + CERTIFICATE_SIGNATURE;
}

static struct member *
take_beat(struct members *m, const struct beat *b)
{
	uint8_t octets[SHARE_BEAT_MAX];

	return members_take(m, &publishers, "site-1", own, octets, make(octets, b), 1000);
}

static enum member_why
judge(const char *customer, const uint8_t key[32], const char *share)
{
	static struct members m;
	struct member *member;
	struct beat b;

	memset(&m, 0, sizeof(m));
	fill(&b);
	strcpy(b.share, share);
	b.certificate_count = 1;
	b.certificates[0].len = make_certificate(certificates[0], customer, key);
	member = take_beat(&m, &b);
	assert_non_null(member);
	return member->why;
}

static void
test_who_is_followed(void **ignored)
{
	struct publisher *p = &publishers.list[0];

	assert_int_equal(judge("Example University", pk, "site-1"), MEMBER_FOLLOWED);
	assert_int_equal(judge("Example University", pk, "site-2"), MEMBER_SHARE);
	assert_int_equal(judge("Another University", pk, "site-1"), MEMBER_CUSTOMER);
	/* A certificate that somebody copied. */
	assert_int_equal(judge("Example University", sk, "site-1"), MEMBER_CERTIFICATE);
	p->confirmed = false;
	assert_int_equal(judge("Example University", pk, "site-1"), MEMBER_CERTIFICATE);
	p->confirmed = true;
	p->public.key.pk[0] ^= 1;
	assert_int_equal(judge("Example University", pk, "site-1"), MEMBER_CERTIFICATE);
	p->public.key.pk[0] ^= 1;
	p->revocations = calloc(1, sizeof(*p->revocations));
	p->revocations->count = 1;
	p->revocations->entries[0].kind = REVOKED_HOST;
	memcpy(p->revocations->entries[0].id, own, 16);
	assert_int_equal(judge("Example University", pk, "site-1"), MEMBER_CERTIFICATE);
	free(p->revocations);
	p->revocations = NULL;
}

static void
test_old_beats(void **ignored)
{
	static struct members m;
	static const uint8_t other[16] = { 1, 1 }, stranger[16] = { 5 };
	uint8_t octets[SHARE_BEAT_MAX];
	struct member *member;
	struct beat b;

	fill(&b);
	b.certificate_count = 0;
	assert_null(
	    members_take(&m, &publishers, "site-1", stranger, octets, make(octets, &b), 1000));
	assert_int_equal(m.count, 0);
	member = members_add(&m, own);
	member->chain = true;
	member->last = 6;
	assert_true(take_beat(&m, &b) == member);
	assert_int_equal(member->why, MEMBER_FOLLOWED);
	/* It has heard of the other one, and this one has not all that it had. */
	assert_false(members_know(&m, stranger));
	assert_false(members_know(&m, other));
	/* It goes on writing, and does so with the other one in mind. */
	b.time++;
	b.head = 8;
	assert_true(take_beat(&m, &b) == member);
	assert_false(members_know(&m, other));
	member->last = 7;
	assert_true(members_know(&m, other));
	assert_true(members_heard(&m, other) == UINT64_MAX);
	b.time--;
	b.head = 10;
	assert_true(take_beat(&m, &b) == member);
	assert_int_equal(member->why, MEMBER_BACK);
	assert_true(member->beat.head == 8);
	b.time++;
	b.head = 7;
	take_beat(&m, &b);
	assert_int_equal(member->why, MEMBER_BACK);
	b.head = 8;
	b.hash[0] ^= 1;
	take_beat(&m, &b);
	assert_int_equal(member->why, MEMBER_BACK);
	b.head = 9;
	b.time += 10;
	take_beat(&m, &b);
	assert_int_equal(member->why, MEMBER_FOLLOWED);
	assert_true(member->beat.head == 9);
	assert_null(members_skewed(&m, b.time + MEMBERS_SKEW, 2000));
	assert_non_null(members_skewed(&m, b.time + MEMBERS_SKEW + 1, 2000));
	assert_non_null(members_skewed(&m, b.time - MEMBERS_SKEW - 1, 2000));
	/* A beat of long ago says nothing of the clock now. */
	assert_null(members_skewed(&m, b.time + MEMBERS_SKEW + 1, 60000));
	member->why = MEMBER_FORKED;
	b.time++;
	take_beat(&m, &b);
	assert_int_equal(member->why, MEMBER_FORKED);
}

/* Strangers take each other's place, and never a member's. */
static void
test_room(void **ignored)
{
	static struct members m;
	uint8_t host[16] = { 0 };

	for (uint8_t i = 0; i < SHARE_MEMBERS; i++) {
		host[0] = i;
		assert_non_null(members_add(&m, host));
		m.at[i].chain = i != 5;
	}
	host[0] = 200;
	assert_true(members_add(&m, host) == &m.at[5]);
	assert_int_equal(m.count, SHARE_MEMBERS);
	m.at[5].chain = true;
	host[0] = 201;
	assert_null(members_add(&m, host));
	host[0] = 3;
	assert_true(members_add(&m, host) == &m.at[3]);
}

/* What all told of each chain, and the earliest clock. */
static void
test_rights(void **ignored)
{
	static struct members m;
	static const uint8_t one[16] = { 1 }, two[16] = { 2 };
	const uint64_t now = 1800000000;
	struct own_rights r;

	for (uint8_t i = 0; i < 2; i++) {
		struct member *member = members_add(&m, i == 0 ? one : two);

		member->chain = true;
		member->last = 50;
		member->beats = i == 0;
		member->beat.time = now - 600;
		member->beat.heard_count = 2;
		memcpy(member->beat.heard[0].host, two, 16);
		member->beat.heard[0].number = 40;
		memcpy(member->beat.heard[1].host, own, 16);
		member->beat.heard[1].number = 7;
	}
	own_rights_told(&r, &m, own, 9, now);
	/* One of them was never heard: all seats may be seen as counted, and no chain was heard. */
	assert_int_equal(r.since, 0);
	assert_int_equal(r.count, 3);
	assert_memory_equal(r.heard[0].host, own, 16);
	assert_true(r.heard[0].number == 0 && r.heard[1].number == 0);
	m.at[1].beats = true;
	own_rights_told(&r, &m, own, 9, now);
	assert_int_equal(r.since, (now - 600) / 60 - RIGHTS_SLACK);
	assert_true(r.heard[0].number == 7);
	/* Two says nothing of one. */
	assert_memory_equal(r.heard[1].host, one, 16);
	assert_true(r.heard[1].number == 0 && r.heard[2].number == 40);
	/* Who is no member says nothing. */
	m.at[1].chain = false;
	own_rights_told(&r, &m, own, 9, now - 3600);
	assert_int_equal(r.count, 2);
	assert_true(r.heard[1].number == 50);
	assert_int_equal(r.since, (now - 3600) / 60 - RIGHTS_SLACK);
	assert_int_equal(own_rights_to_give(16, 16, 5), 0);
	assert_int_equal(own_rights_to_give(0, 16, 5), 0);
	assert_int_equal(own_rights_to_give(17, 16, 5), 1);
	assert_int_equal(own_rights_to_give(100, 16, UINT32_MAX), 42);
	assert_int_equal(own_rights_to_give(100, 16, 5), 5);
	assert_int_equal(own_rights_to_give(UINT64_MAX, 0, UINT32_MAX), UINT32_MAX);
	assert_int_equal(own_rights_to_give(1, 0, 9), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_who_is_followed),
		cmocka_unit_test(test_old_beats),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_rights),
	};

	if (sodium_init() < 0)
		return 1;
	crypto_sign_seed_keypair(pk, sk, seed);
	certificate_host_id(own, pk);
	make_publisher();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
