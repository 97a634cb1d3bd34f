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

	/* Of run, beside those of its command: as env(1) and timeout(1) have them. */
	TOOL_RUN_NO_SEAT = 124,
	TOOL_RUN_FAILED = 125,
	TOOL_RUN_NOT_EXECUTED = 126,
	TOOL_RUN_NOT_FOUND = 127,
};

struct tool {
	struct kms_options options;
	char *key_text; /* owned: read from a .pub file */
	bool json;
	bool ignore_expiry;
	bool no_names;
	const char *output;   /* evidence: where to write it, NULL: nowhere */
	uint32_t wait_ms;     /* run: for a seat */
	const char *file;     /* the command's argument, or NULL */
	char **args;          /* run: the command and its arguments, ends with NULL */
	bool dashes;          /* there was a "--" on the command line */
	void (*sigpipe)(int); /* what was done with SIGPIPE before this program */
	struct output *out;
};

struct tool_command {
	struct command line; /* the first member: the table points to it */
	bool client;         /* needs key, product and state */
	bool runs;           /* run: no state is needed, and the exit codes are its own */
	int (*run)(struct tool *t);
};
extern const struct program kmsclient_program;

/* options.c: what all commands take, and what is wrong with it. TOOL_OK or TOOL_USAGE, said. */
extern const struct option_row tool_options[];
int tool_check(struct tool *t, const struct tool_command *c);
/* "90s", "10m", "2h", "14d"; false: none of at most so many days. */
bool tool_duration(uint64_t *ms, uint64_t max_days, const char *text);
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

/* Does this refusal come with the time when a seat is expected back? */
bool tool_seat_expected(uint32_t status, uint32_t retry_after);

/* open.c */
int tool_open(struct tool *t, struct kms_client **c);
/* The same, and nothing is printed: what kms_open returns, and in words why. */
int tool_try_open(struct tool *t, struct kms_client **c, char *words, size_t size);

/* commands.c */
bool tool_may_run(enum kms_licence licence);

/* run.c */
int command_run(struct tool *t);

/* lease.c */
int command_export_lease(struct tool *t);
int command_verify_lease(struct tool *t);

/* evidence.c */
int command_evidence(struct tool *t);
int command_verify_evidence(struct tool *t);

#endif
