/*
 * command.h - the commands and options of a program as tables. Usage, help, the check of a command
 * line and the completions of the shells all come from the rows.
 *
 * A command is one constant in a file of its own, and so are the rows of its options. A row names
 * the field that its value goes to: of the command's own struct or, in a shared row, of the struct
 * that all commands of the program share.
 */
#ifndef KMSCTL_CLI_COMMAND_H
#define KMSCTL_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "libkms/base/fault.h"

struct option_row {
	const char *name;     /* of --name; NULL ends the table */
	char letter;          /* of -n; 0: none */
	const char *argument; /* as usage shows it; NULL: takes none */
	const char *meaning;
	size_t offset; /* of the field */
	bool shared;   /* the field is of the program's struct, not of the command's */
	/* False: no such value. NULL: a flag sets a bool, an argument goes into a const char *. */
	bool (*read)(void *field, const char *text);
	const char *takes;    /* what read takes, in words: "a number from 1" */
	const char *choice;   /* a flag that sets a const char * to this; flags of one field exclude
				 each other */
	const char *complete; /* see completion.h; NULL: by the argument's name */
};

struct command {
	const char *noun;
	const char *verb; /* NULL: the noun alone */
	const char *args; /* as usage shows them; NULL: takes none */
	const char *summary;
	unsigned min, max;                /* how many arguments */
	const struct option_row *options; /* NULL: only the options of all commands */
	size_t values;                    /* size of the struct that the rows fill */
	const char *complete;             /* the arguments, as in a row */
};

/* Which manual page describes the commands of a noun. */
struct manual {
	const char *noun; /* NULL: all nouns that have no row before; ends the table */
	const char *page;
};

struct program {
	const char *name;
	const struct command *const *commands; /* ends with NULL */
	const struct option_row *common;       /* of all commands, beside --help and --version */
	const struct manual *manuals;          /* NULL: one page, which has the program's name */
};

/* A command line, understood. */
struct line {
	const struct command *command; /* NULL: no command, or an unknown one */
	char **args;                   /* after the command's words; with help, including them */
	unsigned count;
	void *values; /* the command's struct; missing options are zero */
	bool help, version;
	struct fault fault; /* a usage error: KMS_E_ARGUMENT */
};

/*
 * Reads argv, whose words may be moved; values of shared rows go into shared. Option names may be
 * abbreviated as in getopt_long(3).
 */
void line_parse(struct line *l, const struct program *p, void *shared, int argc, char **argv);
void line_free(struct line *l);

/* --help and --version, which every program has. */
extern const struct option_row option_standard[];

/* Readers for rows. */
bool option_count(void *field, const char *text); /* uint64_t, from 1 */

/* "key install [--png FILE] FILE"; brief: its options are "[options]". */
void command_words(const struct command *c, bool brief, char *out, size_t size);
/* The same after the program's name. */
void command_usage(
    const struct program *p, const struct command *c, bool brief, char *out, size_t size);
/* "kmsctl-key(8)"; NULL: the program has one page. */
const char *command_manual(const struct program *p, const struct command *c);
/* "-o FILE", "--qr" */
void option_usage(const struct option_row *row, char *out, size_t size);
/* A line for each option: its forms and what it means; width: of the screen (screen.h). */
void option_help(const struct option_row *rows, FILE *to, unsigned width);

#endif
