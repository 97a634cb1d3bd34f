/*
 * challenge.h - what a host asks of a client whose number was used before, and how it knows the
 * echo again without keeping anything (kms-protocol(7), SEQUENCE NUMBERS AND RETRIES). Pure but for
 * challenge_key.
 *
 * BLAKE2b-128 with a key of this run of the host, over
 *    0 16  CMID
 *   16  8  highest sequence number that the host has of the client
 *   24  8  time / CHALLENGE_SLOT
 * It is right in its slot and the CHALLENGE_SLOTS - 1 after it. Serving the echo moves the number,
 * so it serves once.
 */
#ifndef KMSD_ACTIVATE_CHALLENGE_H
#define KMSD_ACTIVATE_CHALLENGE_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/core/message.h"

#define CHALLENGE_KEY 32
#define CHALLENGE_SLOT 300 /* seconds */
#define CHALLENGE_SLOTS 3

/* Random, in guarded memory; sodium_free. NULL: memory. */
uint8_t *challenge_key(void);
void challenge_make(uint8_t out[MESSAGE_ECHO_SIZE], const uint8_t key[CHALLENGE_KEY],
    const uint8_t cmid[16], uint64_t sequence, uint64_t now);
bool challenge_right(const uint8_t echo[MESSAGE_ECHO_SIZE], const uint8_t key[CHALLENGE_KEY],
    const uint8_t cmid[16], uint64_t sequence, uint64_t now);

#endif
