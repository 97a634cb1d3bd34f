/*
 * help.h - what a program says about its command line and about a failure: the same words in the
 * same places for kmsctl, kmsissue and kmsclient.
 */
#ifndef KMSCTL_CLI_HELP_H
#define KMSCTL_CLI_HELP_H

#include "kmsctl/cli/command.h"

/*
 * On standard error: "WHO: text", the status with Microsoft's code and its meaning, the remedy.
 * text NULL: the meaning. What a file or a peer said may be in text: it drives no terminal. Of a
 * status whose remedy is about all kinds of things ("remove the existing one"), text says enough.
 */
void help_failure(const char *who, uint32_t status, const char *text);
/* The same for a text that says what to do: the status alone follows it. */
void help_told(const char *who, uint32_t status, const char *text);
/* On standard error: what is wrong with the command line, and where the help is. */
void help_usage(const char *program, const struct fault *f);
/* KMS_E_ARGUMENT, unless the line already has a fault or a command. */
void help_no_command(struct line *l);
/*
 * The commands that begin with the words of the line, all without any, each in two lines; the
 * options of one that is alone. width: of the screen (screen.h); 0: the lines are as long as they
 * are. Returns how many there are; 0: nothing is printed.
 */
unsigned help_commands(
    const struct program *p, char *const *words, unsigned count, FILE *to, unsigned width);

#endif
