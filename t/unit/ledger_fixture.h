/*
 * ledger_fixture.h - for tests of kmsdb: a state directory of one's own, a host key,
 * entries made from a few numbers.
 */
#ifndef KMS_T_UNIT_LEDGER_FIXTURE_H
#define KMS_T_UNIT_LEDGER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"

#define FIXTURE_DAY 20000u /* 2024-10-04 */
#define FIXTURE_NOW (FIXTURE_DAY * UINT64_C(86400) + 3600)

struct fixture {
	char path[256];
	int dirfd;
	uint8_t sign_pk[32], sign_sk[64];
	uint8_t host_id[16];
	uint8_t publisher[8];
	struct kmsdb_options opt;
	struct kmsdb *db;
	struct fault fault; /* of the last call that took it */
	uint64_t time;      /* of the entry staged last: that of the batch */
	uint64_t counter;   /* of the last entry about a client */
	int sign_fails;     /* status that the signer returns, once */
	unsigned torn, failed, maps, spoilt, erased; /* log events seen */
};

/* Under /dev/shm, $TMPDIR or /tmp; or under base. */
void fixture_make(struct fixture *f, const char *base);
/* Another host than those of other numbers; before fixture_open. fixture_make's is number 0. */
void fixture_host(struct fixture *f, uint8_t number);
void fixture_remove(struct fixture *f);
/* kmsdb_open with f->opt, and kmsdb_remember; asserts KMS_OK. */
#define FIXTURE_REMEMBERED 200
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
/* f->fault, emptied: for a call that fills it. */
struct fault *fixture_fault(struct fixture *f);
int fixture_try_open(struct fixture *f);

void fixture_cmid(uint8_t cmid[16], uint32_t client);
struct fixture_entry {
	int kind;
	uint32_t client;
	uint32_t product; /* 1.. */
	uint16_t pool;
	uint64_t sequence; /* about a client: through; WITNESS, RESTORED: number of the batch */
	uint64_t time;
	uint64_t value;   /* about a client; WITNESS: time of the header; COUNTERS: refusals */
	uint64_t counter; /* the same; 0: the next */
	uint32_t status;  /* 0: one that the kind allows */
	uint16_t flags;
	uint32_t request; /* first bytes of the request id; 0: the sequence */
	const char *name; /* NULL: made from the client */
	const char *user; /* NULL: none */
	bool nameless;    /* without an aside, as erased */
	bool all;         /* ERASE: of all clients */
	uint8_t bound;    /* first byte of its binding; 0: none */
	uint16_t class;
	uint32_t window; /* minutes; 0: FIXTURE_WINDOW */
	uint32_t count;  /* told; 0: 25 */
};
struct fixture_item {
	struct item item;
	uint8_t entry[ENTRY_MAX], aside[ASIDE_MAX];
};
/* What a WITNESS of that client, number and time has: a header of this host. */
void fixture_header(const struct fixture *f, uint8_t out[BATCH_HEADER], uint32_t client,
    uint64_t number, uint64_t time);
void fixture_encode(struct fixture *f, struct fixture_item *out, const struct fixture_entry *e);
#define FIXTURE_WINDOW (30 * 1440) /* minutes */
/* Minute in the middle of that day. */
#define FIXTURE_MINUTE(day) ((day)*1440u + 720)
/* Stage; asserts KMS_OK; returns the leaf. */
uint32_t fixture_stage(struct fixture *f, const struct fixture_entry *e);
int fixture_try_stage(struct fixture *f, const struct fixture_entry *e);
int fixture_sign(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *f);
int fixture_try_commit(struct fixture *f);
void fixture_commit(struct fixture *f);
/* A batch of n leases of clients first.., sequence and time given. */
void fixture_leases(
    struct fixture *f, uint32_t first, uint32_t n, uint64_t sequence, uint64_t time);

/* Names of segments, ascending; files as bytes. */
size_t fixture_segments(struct fixture *f, char names[][32], size_t max);
uint8_t *fixture_read(struct fixture *f, const char *name, size_t *len);
void fixture_write(struct fixture *f, const char *name, const uint8_t *octets, size_t len);
void fixture_unlink(struct fixture *f, const char *name);
/* Run work in a child that then dies without closing anything, as by kill -9. */
void fixture_crash(struct fixture *f, void (*work)(struct fixture *f));
/* kmsdb_check in a child (LMDB wants an index opened once in a process); says what it found. */
int fixture_check(struct fixture *f);
/* Delete kmsdb/index. */
void fixture_drop_index(struct fixture *f);
/* Copy kmsdb/index aside, and back. */
void fixture_copy(struct fixture *f, const char *from, const char *to);
/* Waits, with commits of nothing, until the log says that names were erased. */
void fixture_erased(struct fixture *f);
/* Two files below the state directory are equal. */
void fixture_same(struct fixture *f, const char *a, const char *b);

#endif
