/*
 * verdict.h - whose files were sent, and which of them this host would take: as kmsd would say it,
 * because policy/files says it. Changes nothing outside memory.
 */
#ifndef KMSCTL_SETUP_VERDICT_H
#define KMSCTL_SETUP_VERDICT_H

#include "kmsctl/kmsctl.h"
#include "kmsctl/setup/sent.h"

/* The files that a section [publisher NAME] names. */
enum ini_file { INI_POLICY, INI_HOST_KEY, INI_CONFIRMATION, INI_FILES };

struct verdict {
	struct publishers all;       /* of kms.ini, then those whose key was sent */
	struct publisher *publisher; /* whose files these are; NULL: there are only codes */
	char name[65];               /* of its section */
	char key[MINISIG_KEY_LINE + 1];
	bool fresh; /* the section is to be made */
	uint8_t host_id[16];
	const struct sent_file *host_key; /* the one to be confirmed for; NULL: none was sent */
	/* What the section's file is to be; NULL: as it is. */
	const struct sent_file *ini[INI_FILES];
};

/*
 * ctl->config: of the kms.ini that is there. dirfd: the state directory, -1: there is none. name:
 * of a new section; NULL: from the key. Each file of s gets its state. KMS_OK, or why nothing
 * can be set up: f names the file. verdict_free in every case.
 */
int verdict_make(struct verdict *v, struct ctl *ctl, struct sent *s, int dirfd, const char *name,
    struct fault *f);
void verdict_free(struct verdict *v);

/* The key of the section that a file is for; NULL: none. */
const char *verdict_ini_key(enum ini_file file);
const char *verdict_ini_ending(enum ini_file file);

#endif
