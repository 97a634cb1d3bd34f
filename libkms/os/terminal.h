/*
 * terminal.h - what a program at a command line is started with, and where its output goes.
 */
#ifndef KMS_LIBKMS_OS_TERMINAL_H
#define KMS_LIBKMS_OS_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/*
 * First of all in main: the arguments are in UTF-8 behind it, and so is what a console shows. They
 * belong to the process. False: no memory.
 */
bool os_program_start(int *argc, char ***argv);
/*
 * A pipe whose reader is gone makes writes fail, and does not end the program. What was done
 * before, for a command that is started.
 */
void (*os_survive_pipes(void))(int);
/* Columns; 0: this is no terminal, or it does not say. */
unsigned os_terminal_columns(FILE *file);
/* The other end of a pipe or socket is closed. */
bool os_reader_gone(FILE *file);

#endif
