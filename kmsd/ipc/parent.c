/*
 * parent.c - one PARENT datagram between kmsd and a child, with at most one descriptor.
 * A datagram that is not exactly what ipc.h says closes whatever came with it and is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kmsd/ipc/ipc.h"
#include "libkms/kms_error.h"

#define PARENT_SIZE 8

/* Room for more descriptors than are allowed, so that extra ones are noticed and closed. */
#define PARENT_FDS 4

union control_space {
	struct cmsghdr align;
	char space[CMSG_SPACE(PARENT_FDS * sizeof(int))];
};

int
ipc_parent_send(int sock, const struct ipc_parent *m)
{
	uint8_t bytes[PARENT_SIZE] = { m->verb, m->index, 0, 0, (uint8_t)(m->value >> 24),
		(uint8_t)(m->value >> 16), (uint8_t)(m->value >> 8), (uint8_t)m->value };
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control_space control;
	struct cmsghdr *c;
	ssize_t n;

	if (m->fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &m->fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof(bytes) ? KMS_OK : KMS_E_IO;
}

/*
 * The descriptors in the message: returns their number; the first max go into fds, the others are
 * closed.
 */
static unsigned
take_descriptors(struct msghdr *msg, int *fds, unsigned max)
{
	unsigned count = 0;
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (count < max)
				fds[count] = fd;
			else
				close(fd);
			count++;
		}
	}
	return count;
}

int
ipc_parent_recv(int sock, struct ipc_parent *m)
{
	uint8_t bytes[PARENT_SIZE + 1];
	struct iovec iov = { bytes, sizeof(bytes) };
	union control_space control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	unsigned fds;
	ssize_t n;

	m->fd = -1;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == ECONNRESET ? KMS_E_PEER : KMS_E_IO;
	fds = take_descriptors(&msg, &m->fd, 1);
	if (n != PARENT_SIZE || fds > 1 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    bytes[2] != 0 || bytes[3] != 0) {
		if (m->fd >= 0)
			close(m->fd);
		m->fd = -1;
		/* No descriptor was free for it: the message is not at fault. */
		if (n == PARENT_SIZE && fds == 0 && (msg.msg_flags & MSG_TRUNC) == 0 &&
		    bytes[2] == 0 && bytes[3] == 0)
			return KMS_E_LIMIT;
		return KMS_E_PEER;
	}
	m->verb = bytes[0];
	m->index = bytes[1];
	m->value = (uint32_t)bytes[4] << 24 | (uint32_t)bytes[5] << 16 | (uint32_t)bytes[6] << 8 |
		   bytes[7];
	return KMS_OK;
}

int
ipc_memory_write(const char *name, const void *bytes, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), saved;

	if (fd == -1)
		return -1;
	if (write(fd, bytes, len) == (ssize_t)len &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* From its beginning, wherever the sender left the offset. */
int
ipc_memory_read(int fd, void *bytes, size_t size, size_t *len)
{
	uint8_t more;
	ssize_t n = 0;

	*len = 0;
	while (
	    *len < size && (n = pread(fd, (uint8_t *)bytes + *len, size - *len, (off_t)*len)) > 0)
		*len += (size_t)n;
	if (*len == size && n >= 0)
		n = pread(fd, &more, 1, (off_t)size);
	if (n < 0)
		return KMS_E_IO;
	return n == 0 ? KMS_OK : KMS_E_TRAILING;
}
