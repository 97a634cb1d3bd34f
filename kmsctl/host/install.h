/*
 * install.h - what publishers sent: reading it, sending it to the host, and what is installed.
 */
#ifndef KMSCTL_HOST_INSTALL_H
#define KMSCTL_HOST_INSTALL_H

#include "kmsctl/kmsctl.h"
#include "policy/files/publisher_file.h"

/*
 * FILE and FILE.minisig, or both in one text on standard input ("-"). CTL_OK (signed_file_free)
 * or the exit code of the failure that was printed.
 */
int install_read_file(struct ctl *ctl, const char *path, struct signed_file *out);
/* The same of a text that was read from standard input. */
int install_split(struct ctl *ctl, const char *text, size_t len, struct signed_file *out);
/*
 * CTL_OK, unless the file is plainly of another kind that a host takes: then it has been said what
 * it is, and which command takes it.
 */
int install_is(struct ctl *ctl, const struct signed_file *file, const char *path,
    enum publisher_file_kind wanted);
/* Both as arguments of a verb. */
void install_put(struct control_buf *args, const struct signed_file *file);
/*
 * Asks the host to take args (which it frees), and prints done, file (NULL: none), and what the
 * host says it is, after label. code: the result of reading them.
 */
int install_send(struct ctl *ctl, int code, uint16_t verb, struct control_buf *args,
    const char *done, const char *file, const char *label);
/* The whole of it for the file that the command's argument names. */
int install_argument(struct ctl *ctl, uint16_t verb, const char *label);
/* The file at path, quietly. KMS_OK or the status, f set. */
int install_file(struct ctl *ctl, uint16_t verb, const char *path, struct fault *f);

/* The publishers of kms.ini, with nothing installed. KMS_E_CONFIG, KMS_E_NO_MEMORY, f set. */
int install_publishers(struct ctl *ctl, struct publishers *out, struct fault *f);
/*
 * The same with what the state directory (dirfd) holds for them. A file that kmsd leaves out is an
 * error, unless it is a host key: a forecast that rests on less than kmsd has would be wrong.
 */
int install_find(struct ctl *ctl, struct publishers *out, int dirfd, struct fault *f);

#endif
