/*
 * transport.h - one TCP connection to a host: steps that never block, and the same with every wait
 * bounded.
 *
 * Deadlines are milliseconds of the monotonic clock (clock_ms): setting
 * the wall clock neither shortens nor lengthens a wait.
 */
#ifndef KMS_LIBKMS_CLIENT_TRANSPORT_H
#define KMS_LIBKMS_CLIENT_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/os/net.h"

/* Of a step, beside the KMS_E_*: not yet, again when the descriptor is ready for t->events. */
#define TRANSPORT_WAIT (-1)

#define TRANSPORT_PEER 96

struct transport {
	int fd;                    /* -1: not connected */
	short events;              /* of poll(2), after TRANSPORT_WAIT */
	char peer[TRANSPORT_PEER]; /* "address port N" */
};

/* An address as a peer is named. */
void transport_name(char out[TRANSPORT_PEER], const struct sockaddr *to, socklen_t len);

int64_t transport_sooner(int64_t a, int64_t b);

/* Sets peer in any case. Both: KMS_OK, TRANSPORT_WAIT (then the second), KMS_E_IO (errno). */
int transport_dial(struct transport *t, const struct sockaddr *to, socklen_t len);
int transport_dialled(struct transport *t);
void transport_close(struct transport *t);
/*
 * bytes[*done..len) as far as they go now; *done moves on. KMS_OK: all of them; TRANSPORT_WAIT;
 * KMS_E_IO (errno).
 */
int transport_write(struct transport *t, const uint8_t *bytes, size_t len, size_t *done);
/*
 * One whole frame, header included, of at most size bytes; *done: how many are there, 0 at first.
 * KMS_OK, TRANSPORT_WAIT, KMS_E_IO (errno), KMS_E_TRUNCATED (closed early), or what frame_decode
 * finds.
 */
int transport_read(struct transport *t, uint8_t *out, size_t size, size_t *done);

/* The same, waiting until the deadline. KMS_OK, KMS_E_TIMEOUT, KMS_E_IO (errno). */
int transport_connect(
    struct transport *t, const struct sockaddr *to, socklen_t len, int64_t deadline);
int transport_send(struct transport *t, const uint8_t *bytes, size_t len, int64_t deadline);
/*
 * The part of the answer that has arrived, at least one byte. KMS_OK, KMS_E_TIMEOUT, KMS_E_IO,
 * KMS_E_TRUNCATED (closed).
 */
int transport_some(struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline);
/* As transport_read, and KMS_E_TIMEOUT. */
int transport_receive(
    struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline);

#endif
