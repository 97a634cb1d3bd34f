/*
 * issue.h - what kmsissue's commands share: the parsed command line, the way
 * to say what went wrong, and the commands themselves.
 */
#ifndef KMSCTL_ISSUE_ISSUE_H
#define KMSCTL_ISSUE_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/issue/issue_output.h"
#include "libkms/kms_error.h"

#define ISSUE_PATH 1024

struct issue_args {
	const char *dir;        /* publisher's directory, "." */
	const char *secret_key; /* file; NULL: DIR/publisher.key */
	const char *passphrase_file;
	const char *name;
	const char *out;
	const char *customer, *group, *capacity, *valid_from, *valid_to, *hosts, *confirmations;
	const char *policy, *key, *publisher;
	const char *override, *reason, *from, *to, *last, *host, *new_passphrase_file;
	bool no_passphrase, force, code, json, csv, new_key, finish;
};

struct issue {
	struct issue_args args;
	const char *operand; /* the one file or directory every command takes; NULL: none */
	struct output *out;
	uint64_t now;
	char why[600]; /* of the first failure */
	/* the other public key during a rotation (struct minisig_key) */
	uint8_t companion[40];
	bool have_companion;
};

/* Keeps the text for main to print; returns status. */
int issue_fail(struct issue *i, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "FILE: meaning of status (reason of the system)". */
int issue_fail_file(struct issue *i, int status, const char *path);
/* path = dir/name.suffix style joins; false and a recorded failure when too long. */
bool issue_path(struct issue *i, char out[ISSUE_PATH], const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct issue_register;
/* The register of the publisher's directory, with every failure in words. */
int issue_register(struct issue *i, struct issue_register **out, bool write);
/* Is there a publisher's directory, even one that has issued nothing? */
bool issue_is_directory(struct issue *i);
/* Fit for the register (NULL is): text of 1 to EVENT_REASON octets that an ini file can hold. */
bool issue_reason_ok(const char *text);
/* The public key "RW..." or its file; given NULL: DIR/publisher.pub. */
struct minisig_key;
int issue_publisher(struct issue *i, const char *given, struct minisig_key *out);

int cmd_init(struct issue *i);
int cmd_policy_sign(struct issue *i);
int cmd_key_issue(struct issue *i);
int cmd_confirm(struct issue *i);
int cmd_show(struct issue *i);
int cmd_ledger(struct issue *i);
int cmd_rotate(struct issue *i);
int cmd_revoke_key(struct issue *i);
int cmd_revoke_host(struct issue *i);
int cmd_revoke_certificate(struct issue *i);
int cmd_revocations(struct issue *i);
int cmd_audit_verify(struct issue *i);

#endif
