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
/* A file, or a text without a name, that another version wrote. */
struct fault_version {
	const char *file; /* NULL: the caller names it */
	const char *what; /* a noun: "journal" */
	unsigned found, known;
	const char *reader; /* this program: "kmsd" */
	const char *by;     /* the version of kmsd that wrote it; NULL or "": not known */
	const char *next;   /* what to do; NULL: install that kmsd again or restore the backup */
};
/* KMS_E_SCHEMA, with all of this in one text. */
int fault_version(struct fault *f, const struct fault_version *v);
/* Puts words before the text that is there: "keys/host.key: " before "permission denied". */
void fault_prefix(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text of f, or the meaning of the status when f has no text. */
const char *fault_text(const struct fault *f, int status);

#endif
