/*
 * transport.h - one TCP connection to a host, and every wait on it bounded.
 *
 * Deadlines are milliseconds of the monotonic clock (clock_ms): setting
 * the wall clock neither shortens nor lengthens a wait.
 */
#ifndef KMS_LIBKMS_CLIENT_TRANSPORT_H
#define KMS_LIBKMS_CLIENT_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct transport {
	int fd;        /* -1: not connected */
	char peer[96]; /* "address port N" */
};

int64_t transport_sooner(int64_t a, int64_t b);

/* Sets peer in any case. KMS_OK, KMS_E_TIMEOUT, KMS_E_IO (errno). */
int transport_connect(
    struct transport *t, const struct sockaddr *to, socklen_t len, int64_t deadline);
void transport_close(struct transport *t);

/* KMS_OK, KMS_E_TIMEOUT, KMS_E_IO (errno). */
int transport_send(struct transport *t, const uint8_t *bytes, size_t len, int64_t deadline);
/*
 * The part of the answer that has arrived, at least one byte. KMS_OK, KMS_E_TIMEOUT, KMS_E_IO,
 * KMS_E_TRUNCATED (closed).
 */
int transport_some(struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline);
/*
 * One whole frame, header included, of at most size bytes. KMS_OK, KMS_E_TIMEOUT,
 * KMS_E_IO, KMS_E_TRUNCATED (closed early), or what frame_decode finds.
 */
int transport_receive(
    struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline);

#endif
