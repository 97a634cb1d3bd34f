/*
 * tool.h - the parts of kmsclient: options, commands, output.
 */
#ifndef KMS_LIBKMS_KMSCLIENT_TOOL_H
#define KMS_LIBKMS_KMSCLIENT_TOOL_H

#include <kms.h>
#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/cli/command.h"
#include "kmsctl/cli/tell.h"

#define TOOL_NAME "kmsclient"

/* The library has the limits of the files: a larger one is read as far as here, and refused. */
#define TOOL_FILE_ROOM 65536

enum tool_exit {
	TOOL_OK = 0,
	TOOL_USAGE = 1,
	TOOL_REFUSED = 2, /* by the host */
	TOOL_NO_HOST = 3, /* none found, or no answer in time */
	TOOL_LOCAL = 4,   /* state file or verification; may not run */
	TOOL_COUNTED = 5, /* recorded, too few clients yet */
	TOOL_IN_USE = 6,  /* another process has the state file: again, a moment later */
};

struct tool {
	struct kms_options options;
	char *key_text; /* owned: read from a .pub file */
	bool json;
	bool ignore_expiry;
	bool no_names;
	const char *output; /* evidence: where to write it, NULL: nowhere */
	const char *file;   /* the command's argument, or NULL */
	struct output *out;
};

struct tool_command {
	struct command line; /* the first member: the table points to it */
	bool client;         /* needs key, product and state */
	int (*run)(struct tool *t);
};
extern const struct program kmsclient_program;

/* options.c: what all commands take, and what is wrong with it. TOOL_OK or TOOL_USAGE, said. */
extern const struct option_row tool_options[];
int tool_check(struct tool *t, const struct tool_command *c);
int tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* print.c. Programs get seconds, people get RFC 3339. Zero is not a time: people see none. */
void tool_time(struct tool *t, const char *key, uint64_t when);
/* "NUMBER:HASH", as the publisher's audit names a batch. */
void tool_batch(struct tool *t, const char *key, uint64_t number, const uint8_t hash[32]);
/* Symbol, meaning, Microsoft's code and the remedy; detail may be NULL. Returns the exit code. */
int tool_status(struct tool *t, uint32_t status, const char *detail);
/* Beside a success; 0: none. detail as above. */
void tool_warning(struct tool *t, uint32_t warning, const char *detail);
/* For the person who uses the product: a clause and a sentence. */
void tool_message(struct tool *t, const char *key, const char *user, const char *next);
void tool_message_of(struct tool *t, const char *key, uint32_t status);
/* The language of kms.h that the environment asks for; "C" when it says nothing. */
const char *tool_language(void);
/* About a file that could not be read or written. Returns the exit code. */
int tool_file_failed(struct tool *t, const char *path, int rc);

/* open.c */
int tool_open(struct tool *t, struct kms_client **c);

/* lease.c */
int command_export_lease(struct tool *t);
int command_verify_lease(struct tool *t);

/* evidence.c */
int command_evidence(struct tool *t);
int command_verify_evidence(struct tool *t);

#endif
