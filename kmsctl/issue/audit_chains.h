/*
 * audit_chains.h - several audit files, put in order: which are of one host, which of these are
 * one chain, and where two chains of one host part. Nothing is verified here: each chain is, after
 * that, as one (audit.h).
 */
#ifndef KMSCTL_ISSUE_AUDIT_CHAINS_H
#define KMSCTL_ISSUE_AUDIT_CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/issue/audit.h"
#include "libkms/base/fault.h"
#include "libkms/core/minisig.h"

#define AUDIT_FILES 1000

struct audit_named {
	const char *name; /* borrowed */
	struct audit_part part;
	uint8_t host[16]; /* whose documents it has */
	/* Its batches, up to the first that does not have the number after the one before. */
	uint64_t first, last;
	uint8_t before[32]; /* hash of the batch before the first, as the first says */
	const uint8_t **headers;
};
struct audit_chain {
	uint8_t host[16];
	struct audit_part *parts; /* in the order of their first batches */
	const struct audit_named **files;
	size_t count;
	/* Another chain of this host has the batches before the number, and another one there. */
	const struct audit_chain *other; /* NULL: none */
	uint64_t number;
};
struct audit_chains {
	size_t file_count, count;
	struct audit_named *files;
	struct audit_chain *chains; /* by host, in the order in which a file of each was given */
};

/*
 * files: names and parts are set. The list is taken over, also when it fails: always followed by
 * audit_chains_free. What audit_host returns, with *bad the file; KMS_E_NO_MEMORY.
 */
int audit_chains_make(struct audit_chains *c, struct audit_named *files, size_t count,
    const struct minisig_key *publisher, struct fault *fault, const char **bad);
void audit_chains_free(struct audit_chains *c);

/* Hash of a batch of the chain, or of the one before its first; false: the files have none. */
bool audit_chain_hash(const struct audit_chain *c, uint64_t number, uint8_t out[32]);
/* Header of a batch; NULL: the files do not have it. */
const uint8_t *audit_chain_header(const struct audit_chain *c, uint64_t number);
uint64_t audit_chain_last(const struct audit_chain *c);
/* Of two chains of one host. Do both have the same batch of that number? */
bool audit_chain_agrees(const struct audit_chain *a, const struct audit_chain *b, uint64_t number);
/* The lower one of their last numbers. */
uint64_t audit_chain_common(const struct audit_chain *a, const struct audit_chain *b);
/*
 * The lowest number, from right before both have a batch on, at which they do not agree: because
 * they differ, or because one has ended.
 */
uint64_t audit_chain_part(const struct audit_chain *a, const struct audit_chain *b);

#endif
