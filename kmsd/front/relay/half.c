/*
 * half.c - buffers that exist only while something waits in them.
 */
#include "kmsd/front/relay/half.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libkms/kms_error.h"

static void
drop_in(struct half *h)
{
	free(h->in);
	h->in = NULL;
	h->in_len = 0;
}

static void
drop_out(struct half *h)
{
	free(h->out);
	h->out = NULL;
	h->out_at = h->out_len = 0;
}

void
half_drop(struct half *h)
{
	drop_in(h);
	drop_out(h);
}

bool
half_pending(const struct half *h)
{
	return h->out != NULL;
}

int
half_keep_out(struct half *h, const uint8_t *data, size_t len)
{
	size_t left = h->out_len - h->out_at;
	uint8_t *out = malloc(left + len);

	if (out == NULL)
		return KMS_E_NO_MEMORY;
	if (left > 0)
		memcpy(out, h->out + h->out_at, left);
	memcpy(out + left, data, len);
	free(h->out);
	h->out = out;
	h->out_at = 0;
	h->out_len = (uint32_t)(left + len);
	return KMS_OK;
}

int
half_send(struct half *h, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (h->out == NULL) {
		n = send(h->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == (ssize_t)len)
			return KMS_OK;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return KMS_E_IO;
		if (n < 0)
			n = 0;
	}
	return half_keep_out(h, data + n, len - (size_t)n);
}

int
half_flush(struct half *h)
{
	ssize_t n;

	if (h->out == NULL)
		return KMS_OK;
	n = send(h->fd, h->out + h->out_at, h->out_len - h->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KMS_OK : KMS_E_IO;
	h->out_at += (uint32_t)n;
	if (h->out_at == h->out_len)
		drop_out(h);
	return KMS_OK;
}

bool
half_keep_in(struct half *h, const uint8_t *data, size_t len)
{
	if (len == 0) {
		drop_in(h);
		return true;
	}
	if (h->in == NULL && (h->in = malloc(HALF_ROOM)) == NULL)
		return false;
	memmove(h->in, data, len);
	h->in_len = (uint32_t)len;
	return true;
}

ssize_t
half_receive(struct half *h, uint8_t *scratch, uint8_t **from, size_t *len)
{
	ssize_t n;

	*from = h->in != NULL ? h->in : scratch;
	n = recv(h->fd, *from + h->in_len, HALF_ROOM - h->in_len, MSG_DONTWAIT);
	*len = h->in_len + (n > 0 ? (size_t)n : 0);
	return n;
}
