/*
 * key_input.h - a host key or a confirmation in any form in which the administrator has it: a file
 * with its signature beside it, both in one text on standard input, or a code as arguments, in a
 * file, pasted or typed at a prompt.
 */
#ifndef KMSCTL_CLI_KEY_INPUT_H
#define KMSCTL_CLI_KEY_INPUT_H

#include "kmsctl/kmsctl.h"
#include "policy/code.h"
#include "policy/files/signed_file.h"

/*
 * The host key or confirmation that the command's arguments name, as arguments of its verb. CTL_OK,
 * or the exit code of the failure that was printed.
 */
int key_input_read(struct ctl *ctl, enum code_kind kind, struct control_buf *args);

/*
 * The file that the code of a host key represents, as kmsissue wrote it, with its signature.
 * Statuses of host_key_code_parse, and KMS_E_NO_MEMORY; signed_file_free after KMS_OK.
 */
int key_input_file(struct signed_file *out, const char *text, size_t len, struct fault *f);

/* A line that a person typed after question: malloc'd, without the line end; NULL: end of file. */
char *key_input_line(const char *question);

#endif
