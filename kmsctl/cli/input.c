/*
 * input.c - see input.h. A FIFO without a writer counts as an empty file, and is not waited for.
 */
#include "kmsctl/cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"

int
input_read(const char *path, size_t max, char **data, size_t *len)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = KMS_E_NO_MEMORY, error;

	*len = 0;
	*data = NULL;
	if (fd < 0)
		return file_status(errno);
	if (!standard)
		fcntl(fd, F_SETFL, 0);
	if ((*data = malloc(max + 1)) != NULL)
		rc = file_read_fd(fd, *data, max, len);
	error = errno;
	if (!standard)
		close(fd);
	if (rc == KMS_OK) {
		(*data)[*len] = '\0';
	} else {
		free(*data);
		*data = NULL;
	}
	errno = error;
	return rc;
}
