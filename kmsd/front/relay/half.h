/*
 * half.h - one side of a relayed conversation: its socket, what has come from it and is not used
 * yet, and what is still to be sent to it. A half has no buffer while nothing waits.
 */
#ifndef KMSD_FRONT_RELAY_HALF_H
#define KMSD_FRONT_RELAY_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kmsd/front/relay/pdu.h"

#define HALF_ROOM (2 * PDU_MAX)

struct half {
	int fd;
	uint8_t *in; /* HALF_ROOM */
	uint8_t *out;
	uint32_t in_len, out_at, out_len;
	bool ended; /* will send no more */
};

void half_drop(struct half *h);
/* Something is still to be sent. */
bool half_pending(const struct half *h);
/* Queue bytes behind those that wait already. KMS_E_NO_MEMORY. */
int half_keep_out(struct half *h, const uint8_t *data, size_t len);
/* Send, and keep what does not go at once. KMS_E_IO (errno), KMS_E_NO_MEMORY. */
int half_send(struct half *h, const uint8_t *data, size_t len);
int half_flush(struct half *h);
/* Keep bytes that came and are not used yet; they may lie in the same buffer. False: memory. */
bool half_keep_in(struct half *h, const uint8_t *data, size_t len);
/*
 * Receive behind what is kept, or into scratch (HALF_ROOM). Returns what recv(2) does; *from and
 * *len: all that is there.
 */
ssize_t half_receive(struct half *h, uint8_t *scratch, uint8_t **from, size_t *len);

#endif
