/*
 * sent.h - the files that a publisher sent, as the administrator has them: in a folder, or named
 * one by one. Read and recognised, and not yet trusted: verdict.h does that.
 */
#ifndef KMSCTL_SETUP_SENT_H
#define KMSCTL_SETUP_SENT_H

#include "kmsctl/setup/recognise.h"
#include "libkms/core/minisig.h"
#include "policy/code.h"

#define SENT_MAX 64 /* files that are looked at */

enum sent_state {
	SENT_READ,   /* not judged yet */
	SENT_WRONG,  /* of no use here: fault says why */
	SENT_PASSED, /* the same, and no mistake: another file or what is installed is newer */
	SENT_USED,   /* to be installed */
	SENT_THERE,  /* exactly this is installed, or in kms.ini */
};

struct sent_file {
	char *path;
	bool named; /* on the command line; otherwise found in a folder */
	struct recognised is;
	enum sent_state state;
	struct fault fault;
	/* SENT_SIGNED, and SENT_KEY_CODE as the file that the code represents */
	struct signed_file file;
	/* SENT_CONFIRMATION_CODE: its bytes */
	uint8_t code[CODE_OCTETS];
	size_t code_len;
	/* SENT_PUBLIC_KEY: as kms.ini has it, and the publisher's name in its comment, or "" */
	char key[MINISIG_KEY_LINE + 1], name[65];
	uint8_t key_id[16]; /* of a host key, when it was judged */
	char contents[200]; /* in words, when it was judged: "example 1.0" */
};

struct sent {
	struct sent_file *list; /* sorted by path */
	unsigned count;
};

/*
 * Every file of args; of a folder, each regular file in it that is not hidden, and no folder below
 * it. A signature alone is not listed when the file that it signs is beside it. KMS_OK, also when
 * some file is of no use (its state and fault say so); KMS_E_NOT_FOUND, KMS_E_DENIED ...: an
 * argument cannot be read; KMS_E_LIMIT; KMS_E_NO_MEMORY. sent_free in every case.
 */
int sent_read(struct sent *s, char *const *args, unsigned count, struct fault *f);
void sent_free(struct sent *s);

#endif
