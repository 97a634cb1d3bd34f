/*
 * ini_edit.h - changing kms.ini for the administrator: read, the new text checked, and written over
 * the old one. Only one kmsctl at a time does so; mode, owner and a link that leads to the file
 * stay as they are.
 */
#ifndef KMSCTL_SETUP_INI_EDIT_H
#define KMSCTL_SETUP_INI_EDIT_H

#include <stdbool.h>

#include "kmsd/common/config.h"
#include "libkms/base/fault.h"
#include "libkms/base/file.h"

struct ini_edit {
	char path[FILE_PATH_MAX];      /* where the ini file really is: no link */
	char directory[FILE_PATH_MAX]; /* in which it is */
	char *before, *after;          /* owned: its text, and the text to write (the caller's) */
	bool exists;
	int lock; /* -1: none */
};

/*
 * Reads the ini file, which may be missing. KMS_OK; KMS_E_EXISTS: another kmsctl changes it;
 * KMS_E_DENIED, KMS_E_NOT_FOUND (its directory), KMS_E_TOO_LARGE, KMS_E_IO; f set. ini_edit_free in
 * every case.
 */
int ini_edit_open(struct ini_edit *e, const char *path, struct fault *f);
/* What e->after means, into c. KMS_E_CONFIG: it would be no valid kms.ini. */
int ini_edit_check(const struct ini_edit *e, struct config *c, struct fault *f);
/* The text is to be written: it is another one. */
bool ini_edit_changes(const struct ini_edit *e);
/* May this user write it? */
bool ini_edit_permitted(const struct ini_edit *e);
/* The file is whole or as it was. KMS_E_EXISTS: somebody changed it since it was read. */
int ini_edit_write(const struct ini_edit *e, struct fault *f);
void ini_edit_free(struct ini_edit *e);

#endif
