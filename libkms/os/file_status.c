/*
 * file_status.c - the numbers of errno, which all systems have.
 */
#include <errno.h>
#include <stddef.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"

int
file_status(int error)
{
	static const struct {
		int error;
		int status;
	} table[] = {
		{ ENOENT, KMS_E_NOT_FOUND },
		{ EACCES, KMS_E_DENIED },
		{ EPERM, KMS_E_DENIED },
		{ EROFS, KMS_E_DENIED },
		{ ENOSPC, KMS_E_FULL },
#ifdef EDQUOT /* not where the disk has no quotas of users */
		{ EDQUOT, KMS_E_FULL },
#endif
		{ EFBIG, KMS_E_FULL },
		{ EEXIST, KMS_E_EXISTS },
		{ ENOMEM, KMS_E_NO_MEMORY },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			return table[i].status;
	return KMS_E_IO;
}
