/*
 * channel.h - one end of a FRONT channel: buffered frames over a non-blocking stream socket. Reads
 * everything available in one call, writes a batch in one call.
 */
#ifndef KMSD_IPC_CHANNEL_H
#define KMSD_IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ipc/ipc.h"

struct ipc_channel;

/* Owns fd from now on. max_body: largest body accepted from the peer. NULL: memory. */
struct ipc_channel *ipc_channel_new(int fd, uint32_t max_body);
void ipc_channel_free(struct ipc_channel *c); /* closes the descriptor */
int ipc_channel_fd(const struct ipc_channel *c);

/* Reads what is available (once, up to 256 KiB). KMS_OK, KMS_E_PEER (closed), KMS_E_IO. */
int ipc_channel_fill(struct ipc_channel *c);
/*
 * Next whole frame: 1 and *body borrowed until the next fill; 0 none yet; -1 malformed
 * (KMS_E_PEER).
 */
int ipc_channel_next(struct ipc_channel *c, struct ipc_frame *f, const uint8_t **body);
/* Whole frames that ipc_channel_next would give before the next fill. */
size_t ipc_channel_waiting(const struct ipc_channel *c);
/*
 * Queue a frame. KMS_E_OVERLOAD when more than 16 MiB, or queue_for's bound, wait for a peer
 * that does not read.
 */
int ipc_channel_put(struct ipc_channel *c, const struct ipc_frame *f, const void *body);
/*
 * A peer that uses all its credits may have this many frames of at most body bytes queued: raises
 * the bound to that.
 */
void ipc_channel_queue_for(struct ipc_channel *c, size_t frames, size_t body);
/*
 * Room for a body of at most size bytes, to be filled in place; then ipc_channel_commit with
 * its length in f.
 */
uint8_t *ipc_channel_reserve(struct ipc_channel *c, size_t size);
int ipc_channel_commit(struct ipc_channel *c, const struct ipc_frame *f);
/*
 * Writes what is queued. KMS_OK (some may be left: ipc_channel_pending), KMS_E_PEER, KMS_E_IO.
 */
int ipc_channel_flush(struct ipc_channel *c);
bool ipc_channel_pending(const struct ipc_channel *c);

#endif
