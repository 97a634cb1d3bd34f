/*
 * completion.h - the tables of a program for the completions of the shells, so that none has a list
 * of its own.
 *
 * A row a line, between tabs: c (a command) or o (an option), the command's words (none for an
 * option that all take), the option, what its value or the command's arguments are, what it is
 * for. A value is nothing; "text", which cannot be completed; "directory"; "file" and maybe a
 * pattern; "words" and the words; or "ask" and the argument for PROGRAM --completion.
 */
#ifndef KMSCTL_CLI_COMPLETION_H
#define KMSCTL_CLI_COMPLETION_H

#include "kmsctl/cli/command.h"

/* False: standard output cannot be written. */
bool completion_print(const struct program *p);

#endif
