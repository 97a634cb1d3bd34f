/*
 * tool.h - the parts of kmsclient: options, commands, output.
 */
#ifndef KMS_LIBKMS_KMSCLIENT_TOOL_H
#define KMS_LIBKMS_KMSCLIENT_TOOL_H

#include <jansson.h>
#include <kms.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum tool_exit {
	TOOL_OK = 0,
	TOOL_USAGE = 1,
	TOOL_REFUSED = 2, /* by the host */
	TOOL_NO_HOST = 3, /* none found, or no answer in time */
	TOOL_LOCAL = 4,   /* state file or verification */
	TOOL_COUNTED = 5, /* recorded, too few clients yet */
};

struct tool {
	struct kms_options options;
	char *key_text; /* owned: read from a .pub file */
	bool json;
	bool ignore_expiry;
	const char *command;
	const char *file; /* the command's argument, or NULL */
	json_t *object;   /* owned: with --json */
};

struct tool_command {
	const char *name;
	const char *argument; /* NULL: takes none */
	bool client;          /* needs key, product and state */
	const char *purpose;
	int (*run)(struct tool *t);
};
extern const struct tool_command tool_commands[];

/* options.c. TOOL_OK or TOOL_USAGE, said on stderr; *done: nothing more to do. */
int tool_options(struct tool *t, int argc, char **argv, bool *done);
const struct tool_command *tool_find(const char *name);
int tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* print.c: one key and its value, "key: value" or a member of the JSON object. */
void tool_text(struct tool *t, const char *key, const char *value);
void tool_number(struct tool *t, const char *key, uint64_t value);
void tool_time(struct tool *t, const char *key, uint64_t when);
void tool_id(struct tool *t, const char *key, const uint8_t id[16], bool dashes);
/* Symbol, meaning, Microsoft's code and the remedy; detail may be NULL. Returns the exit code. */
int tool_status(struct tool *t, uint32_t status, const char *detail);
/* Write what was gathered. TOOL_LOCAL when stdout does not take it. */
int tool_flush(struct tool *t);

/* commands.c and lease.c */
int tool_open(struct tool *t, struct kms_client **c);
int command_export_lease(struct tool *t);
int command_verify_lease(struct tool *t);

#endif
