/*
 * make_ledger.c - a ledger of N clients, as kmsd-activate would have written it, for tests
 * of what reads one: kmsctl without kmsd.
 *
 *	make_ledger STATE-DIRECTORY N
 *
 * Client i (from 0) has the CMID of i in its first 4 bytes (big-endian), the name pc-I, and the
 *address 10.x.y.z of i. Every tenth is below the threshold. The last three are "twin", "twin" and
 *one whose name holds a C1 escape.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry_blobs.h"

struct maker {
	struct kmsdb *db;
	uint8_t host_id[16], sign_pk[32], sign_sk[64];
	uint64_t now;
};

static int
sign(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg)
{
	const struct maker *m = arg;

	return crypto_sign_detached(sig, NULL, header, BATCH_HEADER, m->sign_sk) == 0 ? KMS_OK
										      : KMS_E_IO;
}

static void
must(int status, const char *what)
{
	if (status == KMS_OK)
		return;
	fprintf(stderr, "make_ledger: %s: %s\n", what, kms_strerror((uint32_t)status));
	exit(1);
}

static void
commit(struct maker *m)
{
	must(kmsdb_commit(m->db, m->host_id, m->now, sign, m), "commit");
}

/* The host introduces its keys, so that the chain can be verified. */
static void
start(struct maker *m)
{
	uint8_t entry[ENTRY_MAX];
	struct item item = { .entry = entry };
	struct entry_admin e = {
		.kind = ENTRY_START, .time = m->now, .text = "test", .text_len = 4
	};
	uint32_t leaf;

	crypto_sign_keypair(m->sign_pk, m->sign_sk);
	certificate_host_id(m->host_id, m->sign_pk);
	memcpy(e.subject, m->host_id, 16);
	e.blob = m->sign_pk;
	e.blob_len = sizeof(m->sign_pk);
	item.entry_len = entry_admin_encode(entry, sizeof(entry), &e);
	must(kmsdb_stage(m->db, &item, &leaf), "start");
	commit(m);
}

static void
client(struct maker *m, unsigned i, unsigned count)
{
	struct entry_client e = { .kind = ENTRY_LEASE,
		.time = m->now,
		.sequence = 1,
		.count = 30,
		.required = 25,
		.pool = 1,
		.operation = 1,
		.publisher = "acmeacm",
		.expires = m->now + 86400,
		.renew_after = m->now + 3600 };
	struct aside aside = { .salt = { 1 }, .address = { [10] = 0xff, 0xff, 10 } };
	uint8_t entry[ENTRY_CLIENT_MAX], beside[ASIDE_MAX];
	struct item item = { .entry = entry, .aside = beside };
	uint32_t leaf;

	if (i % 10 == 9) {
		e.kind = ENTRY_SEEN;
		e.status = KMS_E_COUNT_TOO_LOW;
		e.expires = e.renew_after = 0;
	}
	memset(e.product, 0x11, 16);
	for (unsigned b = 0; b < 4; b++)
		e.cmid[b] = (uint8_t)(i >> (24 - 8 * b));
	memcpy(aside.address + 13, e.cmid + 1, 3);
	if (i + 3 < count)
		snprintf(aside.name, sizeof(aside.name), "pc-%u", i);
	else
		snprintf(
		    aside.name, sizeof(aside.name), "%s", i + 1 < count ? "twin" : "M\303\274ller");
	aside_commit(&e.commitments, &aside);
	e.width = entry_slot_width(30 * 1440);
	e.until = entry_counts_until(m->now, 30 * 1440);
	item.entry_len = entry_client_encode(entry, sizeof(entry), &e);
	item.aside_len = aside_encode(beside, sizeof(beside), &aside);
	if (item.entry_len == 0 || item.aside_len == 0)
		must(KMS_E_FORMAT, aside.name);
	must(kmsdb_stage(m->db, &item, &leaf), "client");
	if (kmsdb_staged(m->db) == KMSDB_BATCH_MAX)
		commit(m);
}

int
main(int argc, char **argv)
{
	struct maker m = { .now = (uint64_t)time(NULL) };
	struct kmsdb_options opt = { .segment_size = 16 << 20,
		.overlay_records = 150000,
		.map_size = 1 << 20,
		.checkpoint_seconds = 60 };
	unsigned i, count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	int fd = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	struct fault fault = { 0 };

	if (fd < 0 || count < 3 || sodium_init() < 0) {
		fprintf(stderr, "usage: make_ledger STATE-DIRECTORY N (3 or more)\n");
		return 2;
	}
	if (kmsdb_open(&m.db, fd, &opt, &fault) != KMS_OK) {
		fprintf(stderr, "make_ledger: %s\n", fault.text);
		return 1;
	}
	start(&m);
	for (i = 0; i < count; i++)
		client(&m, i, count);
	commit(&m);
	kmsdb_close(m.db);
	close(fd);
	return 0;
}
