/*
 * class_check.c - see class_check.h.
 */
#include "kmsctl/host/class_check.h"

#include <fcntl.h>
#include <unistd.h>

#include "kmsctl/host/install.h"
#include "kmsd/activate/classes.h"
#include "libkms/kms_error.h"

int
class_check(struct ctl *ctl, struct fault *f)
{
	struct publishers publishers = { 0 };
	struct fault unread = { 0 };
	struct class_list classes;
	int fd, rc = KMS_OK;

	if (ctl->config.class_count == 0)
		return KMS_OK;
	fd = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return KMS_OK;
	classes_take(&classes, &ctl->config);
	if (install_find(ctl, &publishers, fd, &unread) == KMS_OK)
		rc = classes_check(&classes, &publishers, f);
	publishers_free(&publishers);
	close(fd);
	return rc;
}
