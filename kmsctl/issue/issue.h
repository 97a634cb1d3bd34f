/*
 * issue.h - what kmsissue's commands share: the options that several of them take, the way to
 * report a failure, and the commands themselves.
 */
#ifndef KMSCTL_ISSUE_ISSUE_H
#define KMSCTL_ISSUE_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/cli/command.h"
#include "kmsctl/cli/tell.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

#define ISSUE_PATH 1024
#define ISSUE_COMPANIONS 32

struct issue;

struct issue_command {
	struct command line; /* the first member: the table points to it */
	int (*run)(struct issue *i);
};

struct issue {
	const char *operand; /* the first file or directory of the command; NULL: none */
	char *const *operands;
	unsigned operand_count;
	const void *options; /* the command's own struct, as its rows fill it */
	/* options of several commands */
	const char *dir;        /* publisher's directory, "." */
	const char *secret_key; /* file; NULL: DIR/publisher.key */
	const char *passphrase_file;
	bool new_key, json;
	struct output *out;
	uint64_t now;
	struct fault fault; /* the first failure */
	/* The command is done, and what it shows ... */
	bool findings;           /* ... contradicts itself */
	struct fault conclusion; /* ... is not what was asked for: it is printed all the same */
	/* the publisher's other public keys (struct minisig_key): that of a rotation, those before
	 */
	uint8_t companions[ISSUE_COMPANIONS][40];
	unsigned companion_count;
};

/* Rows of those options. */
#define ISSUE_DIR                                                                                  \
	{                                                                                          \
		"dir", 'd', "DIR", "the publisher's directory (default: .)",                       \
		    .offset = offsetof(struct issue, dir), .shared = true                          \
	}
#define ISSUE_SECRET_KEY                                                                           \
	{                                                                                          \
		"secret-key", 's', "FILE", "secret key (default: DIR/publisher.key)",              \
		    .offset = offsetof(struct issue, secret_key), .shared = true                   \
	}
#define ISSUE_PASSPHRASE                                                                           \
	{                                                                                          \
		"passphrase-file", 0, "FILE",                                                      \
		    "file whose first line is the passphrase (default: ask)",                      \
		    .offset = offsetof(struct issue, passphrase_file), .shared = true              \
	}
#define ISSUE_NEW_KEY                                                                              \
	{                                                                                          \
		"new-key", 0, NULL, "sign with the new key of a rotation (DIR/publisher.new.key)", \
		    .offset = offsetof(struct issue, new_key), .shared = true                      \
	}
/* Whatever signs takes these. */
#define ISSUE_SIGNING ISSUE_DIR, ISSUE_SECRET_KEY, ISSUE_PASSPHRASE, ISSUE_NEW_KEY

/* "FILE: meaning of status (reason of the system)", kept in i->fault. */
int issue_fail_file(struct issue *i, int status, const char *path);
/* path = dir/name.suffix style joins; false and a recorded failure when too long. */
bool issue_path(struct issue *i, char out[ISSUE_PATH], const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A moment as text, to a program too. */
void issue_time(struct issue *i, const char *key, uint64_t time);
/* "NUMBER:HASH", as --last takes it. */
void issue_batch(struct issue *i, const char *key, uint64_t number, const uint8_t hash[32]);

struct entitlements;
/* "entitlements: KEY=VALUE, ..."; nothing when there is none. */
void issue_entitlements(struct issue *i, const struct entitlements *all);

struct issue_register;
/* Opens the register of the publisher's directory, with a message for every failure. */
int issue_register(struct issue *i, struct issue_register **out, bool write);
/* What the register said (f), or what the status means. Returns status. */
int issue_fail_register(struct issue *i, int status, const struct fault *f);
/* Is it a publisher's directory, even one that has issued nothing? */
bool issue_is_directory(struct issue *i);
/*
 * May it go into the register? NULL may; text must have 1 to EVENT_REASON bytes that an ini file
 * can contain.
 */
bool issue_reason_ok(const char *text);
/* The public key "RW..." or its file; given NULL: DIR/publisher.pub. */
struct minisig_key;
int issue_publisher(struct issue *i, const char *given, struct minisig_key *out);

extern const struct program kmsissue_program;

extern const struct issue_command cmd_audit_list, cmd_audit_verify, cmd_confirm, cmd_init,
    cmd_key_issue, cmd_ledger, cmd_policy_sign, cmd_revocations, cmd_revoke_certificate,
    cmd_revoke_host, cmd_revoke_key, cmd_rotate, cmd_show;

#endif
