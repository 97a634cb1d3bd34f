/*
 * bench_ledger.c - what the ledger costs, without processes and sockets around
 * it: stage + commit by batch size, a lookup, a row of a checkpoint, a start.
 *
 * bench_ledger [-c clients] [-r rounds] [-n entries] DIRECTORY
 *	-c  clients in the ledger (default 1000000)
 *	-n  entries in a measurement (default 100000)
 *	-r  measurements, of which the median is printed with the least and the most (default 5)
 * The ledger is made in DIRECTORY/bench-ledger, which must not be there, and is removed at the end.
 * Renewals are of random clients; every commit is on disk before the next batch.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/core/lease.h"
#include "t/bench/made_lease.h"

#define ROUNDS 64
#define NOW (UINT64_C(20000) * 86400)

struct bench {
	struct kmsdb *db;
	int dirfd;
	struct kmsdb_options opt;
	uint8_t sk[64];
	uint32_t clients, entries;
	unsigned rounds;
	uint64_t seed, sequence, time;
};

static double
clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
must(int status, const char *what)
{
	if (status == KMS_OK)
		return;
	fprintf(stderr, "bench_ledger: %s: %s\n", what, kms_strerror((uint32_t)status));
	exit(1);
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void
print(const char *what, const char *unit, double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), ascending);
	printf("%-44s %10.1f %s  (%.1f .. %.1f)\n", what, values[n / 2], unit, values[0],
	    values[n - 1]);
	fflush(stdout);
}

static uint32_t
pick(struct bench *b, uint32_t below)
{
	b->seed = b->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((b->seed >> 33) % below);
}

/* Spread like a hash, and cheaper, so that the bench measures the ledger. */
static void
cmid_of(uint8_t cmid[16], uint32_t client)
{
	uint64_t v = client + 1;

	for (int i = 0; i < 2; i++) {
		v = (v ^ v >> 31) * UINT64_C(0x9e3779b97f4a7c15);
		v = (v ^ v >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
		memcpy(cmid + 8 * i, &v, 8);
	}
}

static void
lease(struct bench *b, struct made_lease *out, uint32_t client)
{
	struct made_client c = { .publisher = "BENCHKEY",
		.product = { 1 },
		.pool = 1,
		.window = 30 * 1440,
		.time = b->time,
		.sequence = b->sequence };

	cmid_of(c.cmid, client);
	snprintf(c.name, sizeof(c.name), "pc-%07" PRIu32 ".example.org", client);
	made_lease(out, &c);
}

static int
sign(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg)
{
	struct bench *b = arg;

	return crypto_sign_detached(sig, NULL, header, BATCH_HEADER, b->sk) == 0 ? KMS_OK
										 : KMS_E_IO;
}

static void
commit(struct bench *b)
{
	static const uint8_t host_id[16] = "bench";

	must(kmsdb_commit(b->db, host_id, b->time, sign, b), "commit");
}

/* One look at the client, as a decision needs it, then the entry; bundles for all. */
static void
batch(struct bench *b, uint32_t size, uint32_t first, bool random)
{
	uint8_t bundle[LEASE_MAX], cmid[16];
	struct made_lease made;
	struct kmsdb_client c;
	uint32_t leaf;

	b->sequence++;
	for (uint32_t i = 0; i < size; i++) {
		uint32_t client = random ? pick(b, b->clients) : first + i;
		lease(b, &made, client);
		cmid_of(cmid, client);
		kmsdb_client_get(b->db, cmid, &c);
		(void)kmsdb_pool_count(
		    b->db, (const uint8_t *)"BENCHKEY", 1, (uint32_t)(b->time / 60));
		must(kmsdb_stage(b->db, &made.item, &leaf), "stage");
	}
	commit(b);
	for (uint32_t i = 0; i < size; i++)
		kmsdb_bundle(b->db, i, bundle, sizeof(bundle));
}

static void
fill(struct bench *b)
{
	double start = clock_of(CLOCK_MONOTONIC);

	for (uint32_t at = 0; at < b->clients; at += KMSDB_BATCH_MAX) {
		uint32_t left = b->clients - at;
		b->time = NOW + at % 30 * 86400;
		batch(b, left < KMSDB_BATCH_MAX ? left : KMSDB_BATCH_MAX, at, false);
	}
	must(kmsdb_checkpoint(b->db), "checkpoint");
	b->time = NOW + 30 * 86400;
	printf("%" PRIu32 " first activations in %.1f s\n", b->clients,
	    clock_of(CLOCK_MONOTONIC) - start);
}

static void
commits(struct bench *b)
{
	static const uint32_t sizes[] = { 1, 8, 32, 64, 256, 1024 };
	char what[64];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		double rate[ROUNDS], cpu[ROUNDS], one[ROUNDS];
		uint32_t n = sizes[s] < 8 ? b->entries / 50 : b->entries;
		n = n / sizes[s] * sizes[s];
		for (unsigned r = 0; r < b->rounds; r++) {
			double wall = clock_of(CLOCK_MONOTONIC);
			double used = clock_of(CLOCK_THREAD_CPUTIME_ID);
			for (uint32_t at = 0; at < n; at += sizes[s])
				batch(b, sizes[s], 0, true);
			cpu[r] = (clock_of(CLOCK_THREAD_CPUTIME_ID) - used) / n * 1e6;
			wall = clock_of(CLOCK_MONOTONIC) - wall;
			rate[r] = n / wall;
			one[r] = wall / (n / sizes[s]) * 1e6;
		}
		snprintf(what, sizeof(what), "renewals, batches of %" PRIu32, sizes[s]);
		print(what, "/s", rate, b->rounds);
		print("  CPU of this thread an entry", "us", cpu, b->rounds);
		print("  a batch", "us", one, b->rounds);
	}
}

static void
lookups(struct bench *b, uint32_t among)
{
	double cost[ROUNDS];
	char what[64];

	must(kmsdb_checkpoint(b->db), "checkpoint");
	for (unsigned r = 0; r < b->rounds; r++) {
		struct kmsdb_client c;
		uint8_t cmid[16];
		double start = clock_of(CLOCK_MONOTONIC);
		for (uint32_t i = 0; i < b->entries; i++) {
			cmid_of(cmid, pick(b, among));
			must(kmsdb_client_get(b->db, cmid, &c), "lookup");
		}
		cost[r] = (clock_of(CLOCK_MONOTONIC) - start) / b->entries * 1e6;
	}
	snprintf(what, sizeof(what), "lookup in the index among %" PRIu32, among);
	print(what, "us", cost, b->rounds);
}

static void
checkpoints(struct bench *b)
{
	double cost[ROUNDS], cpu[ROUNDS];

	for (unsigned r = 0; r < b->rounds; r++) {
		struct kmsdb_info info;
		double start, used;
		must(kmsdb_checkpoint(b->db), "checkpoint");
		for (uint32_t at = 0; at < b->entries; at += KMSDB_BATCH_MAX)
			batch(b, KMSDB_BATCH_MAX, 0, true);
		kmsdb_info(b->db, &info);
		used = clock_of(CLOCK_PROCESS_CPUTIME_ID);
		start = clock_of(CLOCK_MONOTONIC);
		must(kmsdb_checkpoint(b->db), "checkpoint");
		cpu[r] = (clock_of(CLOCK_PROCESS_CPUTIME_ID) - used) / (double)info.overlay * 1e6;
		cost[r] = info.overlay == 0
			      ? 0
			      : (clock_of(CLOCK_MONOTONIC) - start) / (double)info.overlay * 1e6;
	}
	print("checkpoint, a row", "us", cost, b->rounds);
	print("  CPU of the writer thread", "us", cpu, b->rounds);
}

static void
starts(struct bench *b)
{
	double clean[ROUNDS];

	for (unsigned r = 0; r < b->rounds; r++) {
		struct fault fault = { 0 };
		double start;
		kmsdb_close(b->db);
		start = clock_of(CLOCK_MONOTONIC);
		if (kmsdb_open(&b->db, b->dirfd, &b->opt, &fault) != KMS_OK) {
			fprintf(stderr, "bench_ledger: %s\n", fault.text);
			exit(1);
		}
		clean[r] = (clock_of(CLOCK_MONOTONIC) - start) * 1e3;
	}
	print("start after a stop", "ms", clean, b->rounds);
}

/* A child fills the overlay and is gone without closing: the next start replays all of it. */
static void
start_after_kill(struct bench *b)
{
	struct fault fault = { 0 };
	double cost[1];
	pid_t pid;

	kmsdb_close(b->db);
	b->db = NULL;
	pid = fork();
	if (pid == 0) {
		must(kmsdb_open(&b->db, b->dirfd, &b->opt, &fault), "open");
		for (uint32_t at = 0; at < 140000; at += KMSDB_BATCH_MAX)
			batch(b, KMSDB_BATCH_MAX, 0, true);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	cost[0] = clock_of(CLOCK_MONOTONIC);
	must(kmsdb_open(&b->db, b->dirfd, &b->opt, &fault), "open");
	cost[0] = (clock_of(CLOCK_MONOTONIC) - cost[0]) * 1e3;
	print("start after a kill, 140000 entries to replay", "ms", cost, 1);
}

/* Resident memory that no file backs: what the ledger costs beyond the mapped index. */
static void
memory(void)
{
	char line[128];
	FILE *in = fopen("/proc/self/status", "r");

	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		if (strncmp(line, "RssAnon", 7) == 0 || strncmp(line, "RssFile", 7) == 0)
			fputs(line, stdout);
	}
	if (in != NULL)
		fclose(in);
}

static void
sizes(struct bench *b)
{
	struct kmsdb_info info;

	kmsdb_info(b->db, &info);
	printf("index %.1f MiB, %" PRIu64 " clients; journal %.1f MiB in %" PRIu64 " segments\n",
	    (double)info.index_bytes / 1048576, info.clients, (double)info.journal_bytes / 1048576,
	    info.segments);
	memory();
}

static void
usage(void)
{
	fprintf(stderr, "usage: bench_ledger [-c clients] [-n entries] [-r rounds] directory\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	struct bench b = { .clients = 1000000, .entries = 100000, .rounds = 5, .seed = 1 };
	char path[512], command[600];
	struct fault fault = { 0 };
	uint8_t pk[32];
	int option;

	while ((option = getopt(argc, argv, "c:n:r:")) != -1) {
		if (option == 'c')
			b.clients = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			b.entries = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'r')
			b.rounds = (unsigned)strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc - 1 || b.clients < 2000 || b.entries < 1024 || b.rounds == 0 ||
	    b.rounds > ROUNDS)
		usage();
	snprintf(path, sizeof(path), "%s/bench-ledger", argv[optind]);
	if (sodium_init() < 0 || mkdir(path, 0700) != 0) {
		perror(path);
		return 1;
	}
	crypto_sign_keypair(pk, b.sk);
	memcpy(b.opt.sign_pk, pk, 32);
	b.opt.have_sign_pk = true;
	b.dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (kmsdb_open(&b.db, b.dirfd, &b.opt, &fault) != KMS_OK) {
		fprintf(stderr, "bench_ledger: %s\n", fault.text);
		return 1;
	}
	b.time = NOW;
	fill(&b);
	lookups(&b, b.clients < 10000 ? b.clients : 10000);
	lookups(&b, b.clients);
	commits(&b);
	checkpoints(&b);
	sizes(&b);
	starts(&b);
	start_after_kill(&b);
	kmsdb_close(b.db);
	close(b.dirfd);
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command) == 0 ? 0 : 1;
}
