/*
 * recognise.h - what a file is that somebody was sent, by its bytes: its name does not matter.
 * Pure. What is not for a host is named for what it is, because "bad format" helps nobody who
 * took the wrong one of five files.
 */
#ifndef KMSCTL_SETUP_RECOGNISE_H
#define KMSCTL_SETUP_RECOGNISE_H

#include <stddef.h>

#include "policy/files/publisher_file.h"

enum sent_kind {
	SENT_SIGNED,            /* one of publisher_file.h, with a .minisig beside it */
	SENT_PUBLIC_KEY,        /* a publisher's, as minisign writes it */
	SENT_KEY_CODE,          /* a host key as groups to type */
	SENT_CONFIRMATION_CODE, /* the same of a confirmation */
	SENT_SIGNATURE,         /* a .minisig */
	SENT_REQUEST,           /* a .kmsreq: from this host to the publisher */
	SENT_INI,               /* a kms.ini */
	SENT_OTHER,             /* nothing that a host takes */
};

struct recognised {
	enum sent_kind kind;
	enum publisher_file_kind file; /* of SENT_SIGNED */
	const char *what;              /* "a web page"; constant */
	const char *advice;            /* of what a host does not take: what to do; NULL: nothing */
	bool secret;                   /* nobody should have sent it */
};

/* len bytes of the file's beginning, with a zero byte behind them. */
void recognise(struct recognised *out, const char *text, size_t len);

#endif
