/*
 * control.c - the control protocol's codec, for both ends, and kmsctl's one
 * exchange with kmsd-activate. Neither end trusts the other's lengths.
 */
#include "kmsd/ipc/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libkms/base/clock.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define FIELD_HEADER 6 /* type, name length, value length */
/* So that the larger of the two headers and the fields fit into one message. */
#define FIELDS_MAX (CONTROL_MAX - CONTROL_REPLY_HEADER)

void
control_buf_free(struct control_buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* Makes room for more bytes; false: bad is set for good. */
static bool
grow(struct control_buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 512;
	uint8_t *data;

	if (b->bad)
		return false;
	if (more > FIELDS_MAX || b->len > FIELDS_MAX - more) {
		b->bad = true;
		return false;
	}
	while (cap < b->len + more)
		cap *= 2;
	if (cap == b->cap)
		return true;
	data = realloc(b->data, cap);
	if (data == NULL) {
		b->bad = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

static void
put_field(struct control_buf *b, char type, const char *name, const void *value, size_t len)
{
	size_t name_len = strlen(name);
	struct wire_writer w;

	if (name_len > UINT8_MAX || len > FIELDS_MAX) {
		b->bad = true;
		return;
	}
	if (!grow(b, FIELD_HEADER + name_len + len))
		return;
	wire_writer_init(&w, b->data + b->len, b->cap - b->len);
	wire_put_u8(&w, (uint8_t)type);
	wire_put_u8(&w, (uint8_t)name_len);
	wire_put_u32(&w, (uint32_t)len);
	wire_put(&w, name, name_len);
	if (len > 0)
		wire_put(&w, value, len);
	b->len += wire_written(&w);
}

void
control_row(struct control_buf *b, const char *kind)
{
	put_field(b, 'r', "", kind, strlen(kind));
}

void
control_text(struct control_buf *b, const char *name, const char *value)
{
	put_field(b, 's', name, value, strlen(value));
}

void
control_textf(struct control_buf *b, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	text = n < 0 ? NULL : malloc((size_t)n + 1);
	if (text == NULL) {
		b->bad = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	put_field(b, 's', name, text, (size_t)n);
	free(text);
}

void
control_number(struct control_buf *b, const char *name, uint64_t value)
{
	uint8_t octets[8];
	struct wire_writer w;

	wire_writer_init(&w, octets, sizeof(octets));
	wire_put_u64(&w, value);
	put_field(b, 'u', name, octets, sizeof(octets));
}

void
control_octets(struct control_buf *b, const char *name, const void *value, size_t len)
{
	put_field(b, 'b', name, value, len);
}

/* A row has a kind and no name; everything else has a name; text has no zero byte. */
static bool
field_ok(const struct control_field *f)
{
	if (f->type == 'r')
		return f->name_len == 0 && f->value_len > 0;
	if (f->name_len == 0)
		return false;
	switch (f->type) {
	case 's':
		return f->value_len == 0 || memchr(f->value, 0, f->value_len) == NULL;
	case 'u':
		return f->value_len == 8;
	case 'b':
		return true;
	default:
		return false;
	}
}

bool
control_next(struct wire_reader *r, struct control_field *f)
{
	const uint8_t *start = r->at;
	struct wire_reader number;

	memset(f, 0, sizeof(*f));
	if (wire_left(r) == 0)
		return false;
	f->type = (char)wire_get_u8(r);
	f->name_len = wire_get_u8(r);
	f->value_len = wire_get_u32(r);
	f->name = (const char *)wire_view(r, f->name_len);
	f->value = wire_view(r, f->value_len);
	if (r->bad || !field_ok(f)) {
		r->at = start;
		r->bad = true;
		return false;
	}
	if (f->type == 'u') {
		wire_reader_init(&number, f->value, f->value_len);
		f->number = wire_get_u64(&number);
	}
	return true;
}

bool
control_field_is(const struct control_field *f, char type, const char *name)
{
	return f->type == type && strlen(name) == f->name_len &&
	       memcmp(f->name, name, f->name_len) == 0;
}

/* r: what follows the length. 1: all of it is there, least bytes or more; else 0 or -1. */
static int
is_whole(struct wire_reader *r, const void *data, size_t len, uint32_t least)
{
	uint32_t length;

	if (len < 4)
		return 0;
	wire_reader_init(r, data, len);
	length = wire_get_u32(r);
	if (length < least || length > CONTROL_MAX || wire_left(r) > length)
		return -1;
	return wire_left(r) == length;
}

int
control_request_parse(const void *data, size_t len, uint16_t *verb, struct wire_reader *args)
{
	struct wire_reader r;
	int rc = is_whole(&r, data, len, 2);

	if (rc != 1)
		return rc;
	*verb = wire_get_u16(&r);
	*args = r;
	return 1;
}

int
control_reply_parse(const void *data, size_t len, uint32_t *status, struct wire_reader *rows)
{
	struct wire_reader r;
	int rc = is_whole(&r, data, len, 4);

	if (rc != 1)
		return rc;
	*status = wire_get_u32(&r);
	*rows = r;
	return 1;
}

void
control_request_header(uint8_t out[CONTROL_REQUEST_HEADER], uint16_t verb, size_t len)
{
	struct wire_writer w;

	wire_writer_init(&w, out, CONTROL_REQUEST_HEADER);
	wire_put_u32(&w, (uint32_t)(len + 2));
	wire_put_u16(&w, verb);
}

bool
control_reply_header(uint8_t out[CONTROL_REPLY_HEADER], uint32_t status, size_t len)
{
	struct wire_writer w;

	if (len > FIELDS_MAX)
		return false;
	wire_writer_init(&w, out, CONTROL_REPLY_HEADER);
	wire_put_u32(&w, (uint32_t)(len + 4));
	wire_put_u32(&w, status);
	return true;
}

/* One exchange: the socket and its deadline. */
struct call {
	int fd;
	int64_t deadline; /* milliseconds, CLOCK_MONOTONIC */
};

static int
wait_for(const struct call *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left;
	int n;

	do {
		left = c->deadline - clock_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return KMS_E_IO;
	return n == 0 ? KMS_E_TIMEOUT : KMS_OK;
}

static int
connect_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return KMS_E_NOT_RUNNING;
	case EACCES:
	case EPERM:
		return KMS_E_DENIED;
	default:
		errno = error;
		return KMS_E_IO;
	}
}

static int
call_open(struct call *c, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(sun.sun_path))
		return KMS_E_ARGUMENT;
	memcpy(sun.sun_path, path, len + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return KMS_E_IO;
	while (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN) /* EAGAIN: the host's backlog is full */
			return connect_error(errno);
		if (clock_ms() >= c->deadline)
			return KMS_E_TIMEOUT;
		poll(NULL, 0, 10);
	}
	return KMS_OK;
}

static int
call_send(const struct call *c, const uint8_t *data, size_t len)
{
	ssize_t n;
	int rc;

	while (len > 0) {
		n = send(c->fd, data, len, MSG_NOSIGNAL);
		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return KMS_OK; /* it may have answered before it closed: DENIED does */
		} else if (errno == EAGAIN) {
			if ((rc = wait_for(c, POLLOUT)) != KMS_OK)
				return rc;
		} else if (errno != EINTR) {
			return KMS_E_IO;
		}
	}
	return KMS_OK;
}

/* Exactly len bytes. Closed before the first of them: KMS_E_PEER; later: KMS_E_TRUNCATED. */
static int
call_read(const struct call *c, uint8_t *out, size_t len)
{
	size_t have = 0;
	ssize_t n;
	int rc;

	while (have < len) {
		n = recv(c->fd, out + have, len - have, 0);
		if (n > 0)
			have += (size_t)n;
		else if (n == 0 || errno == ECONNRESET)
			return have == 0 ? KMS_E_PEER : KMS_E_TRUNCATED;
		else if (errno == EAGAIN) {
			if ((rc = wait_for(c, POLLIN)) != KMS_OK)
				return rc;
		} else if (errno != EINTR)
			return KMS_E_IO;
	}
	return KMS_OK;
}

static int
call_receive(const struct call *c, uint32_t *status, uint8_t **reply, size_t *reply_len)
{
	uint8_t head[CONTROL_REPLY_HEADER], extra;
	uint8_t *body = NULL;
	struct wire_reader r;
	uint32_t length;
	int rc;

	if ((rc = call_read(c, head, 4)) != KMS_OK)
		return rc;
	wire_reader_init(&r, head, sizeof(head));
	length = wire_get_u32(&r);
	if (length > CONTROL_MAX)
		return KMS_E_TOO_LARGE;
	if (length < 4)
		return KMS_E_FORMAT;
	if ((rc = call_read(c, head + 4, 4)) != KMS_OK)
		return rc == KMS_E_PEER ? KMS_E_TRUNCATED : rc;
	*status = wire_get_u32(&r);
	length -= 4;
	body = malloc(length + 1);
	if (body == NULL)
		return KMS_E_NO_MEMORY;
	rc = call_read(c, body, length);
	if (rc == KMS_E_PEER)
		rc = KMS_E_TRUNCATED;
	if (rc == KMS_OK && recv(c->fd, &extra, 1, 0) > 0)
		rc = KMS_E_TRAILING;
	if (rc != KMS_OK) {
		free(body);
		return rc;
	}
	*reply = body;
	*reply_len = length;
	return KMS_OK;
}

int
control_call(const char *path, uint16_t verb, const struct control_buf *args, int timeout_ms,
    uint32_t *status, uint8_t **reply, size_t *reply_len)
{
	struct call c = { .fd = -1, .deadline = clock_ms() + timeout_ms };
	uint8_t head[CONTROL_REQUEST_HEADER];
	size_t len = args != NULL ? args->len : 0;
	int rc, saved;

	*reply = NULL;
	*reply_len = 0;
	*status = KMS_OK;
	if (args != NULL && args->bad)
		return KMS_E_TOO_LARGE;
	control_request_header(head, verb, len);
	rc = call_open(&c, path);
	if (rc == KMS_OK)
		rc = call_send(&c, head, sizeof(head));
	if (rc == KMS_OK && len > 0)
		rc = call_send(&c, args->data, len);
	if (rc == KMS_OK)
		rc = call_receive(&c, status, reply, reply_len);
	saved = errno;
	if (c.fd >= 0)
		close(c.fd);
	errno = saved;
	return rc;
}
