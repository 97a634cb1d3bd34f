/*
 * serving.h - what refuses every client of a publisher now, as a running host's status tells it.
 */
#ifndef KMSCTL_HOST_SERVING_H
#define KMSCTL_HOST_SERVING_H

#include <stdint.h>

#include "kmsctl/host/reply.h"

#define SERVING_TEXT 320

/* The publisher's row of a status; NULL: there is none, or name is NULL. */
const struct reply_row *serving_publisher(const struct reply *status, const char *name);

/*
 * What every client of that publisher gets now; KMS_OK: nothing stands in their way. text: what
 * happened, in words; *next: what to do about it, NULL with KMS_OK.
 */
uint32_t serving_refuses(
    char text[SERVING_TEXT], const char **next, const struct reply_row *publisher, uint64_t now);

#endif
