/*
 * ctl.h - what commands share: saying that something failed, asking the host, reading files,
 * opening the ledger.
 */
#ifndef KMSCTL_HOST_CTL_H
#define KMSCTL_HOST_CTL_H

#include "kmsctl/cli/command.h"
#include "libkms/base/fault.h"

struct kmsdb;

/*
 * Says what failed, with the status's symbol, meaning and remedy; returns the exit code for it.
 */
int ctl_fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The ini file into ctl->config. CTL_OK or the exit code of what was said. */
int ctl_load_config(struct ctl *ctl);
/* Path of the control socket. */
void ctl_socket(const struct ctl *ctl, char out[256]);

/*
 * Ask the host. CTL_OK: reply is read (reply_free). Else it has been said what is wrong, and
 * the exit code is returned. ctl_ask_quietly says nothing and returns the status
 * (KMS_E_NOT_RUNNING ...), why set.
 */
int ctl_ask(struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply);
uint32_t ctl_ask_quietly(
    struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply, char why[512]);

/* Puts the port that the system chose into the row "service" of a status. */
void ctl_fill_port(struct ctl *ctl, struct reply *status);
/*
 * The port that kmsd listens on; 0: not known, it is the system's choice and kmsd does not run.
 */
uint16_t ctl_port(const struct ctl *ctl);

/*
 * A whole file, at most max octets, malloc'd and terminated; "-" is standard input. KMS_OK or
 * KMS_E_*.
 */
int ctl_read_file(const char *path, size_t max, char **data, size_t *len);
/*
 * FILE and FILE.minisig as the arguments "file" and "signature". CTL_OK or the exit code of
 * what was said.
 */
int ctl_read_signed(struct ctl *ctl, const char *path, struct control_buf *args);
/* The same of a file only, saying nothing: KMS_OK or KMS_E_*, why set. */
int ctl_read_signed_quietly(const char *path, struct control_buf *args, char why[512]);
/* Both from one text, as they come in a mail. */
int ctl_split_signed(struct ctl *ctl, const char *text, size_t len, struct control_buf *args);
/* Whole or not at all: beside it, then renamed. */
int ctl_write_file(struct ctl *ctl, const char *path, const void *data, size_t len);

/*
 * The ledger's files belong to the activation process's user. Root works on them as that user,
 * so that no file comes to be that kmsd cannot open afterwards: from ctl_state_directory or
 * ctl_open_ledger to ctl_close.
 */
/* State directory as a descriptor; -1 with it said. */
int ctl_state_directory(struct ctl *ctl);
/* The ledger, read-only. KMS_OK or status, fault set. */
int ctl_open_ledger(struct ctl *ctl, struct kmsdb **db, struct fault *fault);
/* Closes what was opened (db NULL, fd -1: nothing) and takes the user's own rights back. */
void ctl_close(struct kmsdb *db, int fd);

/* Text forms. */
void ctl_address(char out[64], const uint8_t address[16]);

#endif
