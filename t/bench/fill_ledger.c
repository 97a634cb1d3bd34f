/*
 * fill_ledger - a ledger of very many clients for `make bench`, by kmsdb's own code and signed by
 * the host's own identity, without a request from anybody.
 *
 *   fill_ledger --publisher KEY --product UUID --clients N [--live N] [--seed N] STATE_DIRECTORY
 *
 * The host's kmsd is stopped. The first --live clients are those that load plays (t/lib/player.h);
 * they are spread over the index, since a CMID is a hash. The others have random CMIDs and never
 * ask. A key of a client costs more than all the rest of it, and it would do nothing here.
 * Prints seconds, and the size of journal and index.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/activate/host_identity.h"
#include "kmsdb/kmsdb.h"
#include "t/bench/made_lease.h"
#include "t/lib/player.h"
#include "t/lib/untraced.h"

#define POOL 1
#define WINDOW (30 * 1440)

struct maker {
	struct kmsdb *db;
	struct host_identity *key;
	struct made_client client;
	uint64_t clients, live, seed;
};

static void
must(int status, const char *what)
{
	if (status == KMS_OK)
		return;
	fprintf(stderr, "fill_ledger: %s: %s\n", what, kms_strerror((uint32_t)status));
	exit(1);
}

/* What it makes has to belong to the user that owns the directory. */
static void
become_owner(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1 || setegid(st.st_gid) == -1 || seteuid(st.st_uid) == -1)
		player_die(path);
}

static void
open_state(struct maker *m, const char *path)
{
	struct kmsdb_options opt = { .segment_size = 64 << 20,
		.overlay_records = 1000000,
		.map_size = UINT64_C(1) << 30,
		.checkpoint_seconds = 3600,
		.have_sign_pk = true };
	struct secrets none = { 0 };
	struct fault fault = { 0 };
	char why[256] = "";
	bool made;
	int dirfd;

	become_owner(path);
	if ((dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		player_die(path);
	must(host_identity_open(&m->key, dirfd, 0, &none, &made, why), why);
	memcpy(opt.sign_pk, host_identity_sign_pk(m->key), 32);
	if (kmsdb_open(&m->db, dirfd, &opt, &fault) != KMS_OK) {
		fprintf(stderr, "fill_ledger: %s\n", fault.text);
		exit(1);
	}
	must(kmsdb_start(m->db), "thread");
}

static void
stage(struct maker *m, uint64_t number)
{
	struct made_client *c = &m->client;
	struct made_lease made;
	uint32_t leaf;

	if (number < m->live)
		player_cmid(c->cmid, m->seed, number);
	else
		randombytes_buf(c->cmid, sizeof(c->cmid));
	snprintf(c->name, sizeof(c->name), PLAYER_NAME, (unsigned long long)number);
	made_lease(&made, c);
	must(kmsdb_stage(m->db, &made.item, &leaf), "entry");
}

static void
make(struct maker *m)
{
	m->client.time = (uint64_t)time(NULL);
	m->client.sequence = 1;
	for (uint64_t i = 0; i < m->clients; i++) {
		stage(m, i);
		if (kmsdb_full(m->db) || i + 1 == m->clients)
			must(kmsdb_commit(m->db, host_identity_id(m->key), m->client.time,
				 host_identity_batch, m->key),
			    "batch");
	}
	must(kmsdb_checkpoint(m->db), "index");
}

static void
usage(void)
{
	fputs(
	    "usage: fill_ledger --publisher KEY --product UUID --clients N [--live N] [--seed N] STATE_DIRECTORY\n",
	    stderr);
	exit(1);
}

static void
parse_options(struct maker *m, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "publisher", 1, NULL, 'k' },
		{ "product", 1, NULL, 'P' },
		{ "clients", 1, NULL, 'C' },
		{ "live", 1, NULL, 'L' },
		{ "seed", 1, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	struct minisig_key publisher;
	bool have_key = false, have_product = false;
	int ch;

	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (ch == 'k') {
			have_key = minisig_key_parse(&publisher, optarg) == KMS_OK;
			memcpy(m->client.publisher, publisher.id, 8);
		} else if (ch == 'P') {
			player_uuid(m->client.product, optarg);
			have_product = true;
		} else if (ch == 'C')
			m->clients = strtoull(optarg, NULL, 10);
		else if (ch == 'L')
			m->live = strtoull(optarg, NULL, 10);
		else if (ch == 'S')
			m->seed = strtoull(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc - 1 || !have_key || !have_product || m->clients == 0)
		usage();
}

int
main(int argc, char **argv)
{
	struct maker m = { .seed = 1, .client = { .pool = POOL, .window = WINDOW } };
	struct kmsdb_info info;
	time_t begun = time(NULL);

	if (sodium_init() == -1)
		player_die("libsodium");
	parse_options(&m, argc, argv);
	open_state(&m, argv[optind]);
	make(&m);
	kmsdb_info(m.db, &info);
	printf("clients=%" PRIu64 " seconds=%lld journal_octets=%" PRIu64 " index_octets=%" PRIu64
	       "\n",
	    m.clients, (long long)(time(NULL) - begun), info.journal_bytes, info.index_bytes);
	kmsdb_close(m.db);
	host_identity_free(m.key);
	return 0;
}
