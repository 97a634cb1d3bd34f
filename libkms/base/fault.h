/*
 * fault.h - what went wrong, in one struct: the status, the line of the text that is at fault, and
 * a sentence for the person who has to act.
 *
 * A function that can say more than its status takes a struct fault, fills it when it fails and
 * returns the status. The first fault is kept: a caller that adds its own after a callee's does
 * not hide it. NULL is allowed everywhere, for callers that do not need the sentence.
 */
#ifndef KMS_LIBKMS_BASE_FAULT_H
#define KMS_LIBKMS_BASE_FAULT_H

#define FAULT_TEXT 512

struct fault {
	int status;            /* KMS_OK: nothing is wrong */
	int line;              /* of a text, from 1; 0: the whole of it, or there is no text */
	char text[FAULT_TEXT]; /* one sentence without a full stop, terminated; long ones are cut */
};

/* Each returns status. The text is that of kms_strerror(status) when fmt is NULL. */
int fault_set(struct fault *f, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int fault_at(struct fault *f, int line, int status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "what: No space left on device"; the status is file_status(error). */
int fault_errno(struct fault *f, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * KMS_E_SCHEMA: file was written by another version. what: a noun, "journal"; found, known: its
 * versions; by: the version of kmsd that wrote it, NULL or "": not known. next: what to do, NULL:
 * install that kmsd again or restore the backup.
 */
int fault_version(struct fault *f, const char *file, const char *what, unsigned found,
    unsigned known, const char *by, const char *next);
/* Puts words before the text that is there: "keys/host.key: " before "permission denied". */
void fault_prefix(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text of f, or the meaning of the status when f has no text. */
const char *fault_text(const struct fault *f, int status);

#endif
