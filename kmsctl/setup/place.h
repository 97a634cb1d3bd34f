/*
 * place.h - what kmsctl setup writes: the publisher's files beside kms.ini, and the section that
 * names them. Prepared first, so that it can be shown; then written, the files before the section.
 */
#ifndef KMSCTL_SETUP_PLACE_H
#define KMSCTL_SETUP_PLACE_H

#include "kmsctl/setup/ini_edit.h"
#include "kmsctl/setup/verdict.h"

struct place {
	struct ini_edit ini;
	struct {
		char path[256]; /* "": no file of this kind */
		bool write;     /* false: exactly this file is there */
	} files[INI_FILES];
	bool changes; /* something is to be written */
};

/* Statuses of ini_edit_open. place_free in every case. */
int place_open(struct place *p, const struct ctl *ctl, struct fault *f);
/* Where the files go, and the new text. KMS_E_CONFIG: it would be no valid kms.ini. */
int place_prepare(struct place *p, const struct ctl *ctl, const struct verdict *v, struct fault *f);
/* Each file is whole or as it was; a repeated run does what was left. */
int place_write(const struct place *p, const struct verdict *v, struct fault *f);
void place_free(struct place *p);

#endif
