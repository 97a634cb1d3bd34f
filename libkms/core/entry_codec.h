/*
 * entry_codec.h - what the codecs of all kinds of entries share: the head.
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_CODEC_H
#define KMS_LIBKMS_CORE_ENTRY_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"

struct entry_head {
	uint8_t version, kind;
	uint16_t flags;
	uint32_t status;
	uint64_t time;
};

void entry_head_put(
    struct wire_writer *w, uint8_t kind, uint16_t flags, uint32_t status, uint64_t time);
void entry_head_get(struct wire_reader *r, struct entry_head *h);
#endif
