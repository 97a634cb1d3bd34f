/*
 * config_wire.h - what kmsd has read of kms.ini on its way to a child, big-endian, by the rows of
 * the schema that name the child as a reader:
 *    0  4  which rows these are: another number comes from a kmsd of another version
 *    4  8  config_mark for a reload, 12  8  for a start
 *   20     a value a row, in the schema's order: 8 bytes of a number; u16 length and bytes of text;
 *          u16 count and words of a list, each an address (16), a network (16, u8 bits), a port
 *          (2), text, or an endpoint: text, u8 literal, 16 address, u16 port, priority, weight
 *    +  2  how many publishers, when a row is theirs: name and rows of each; then of classes
 *
 * A child checks each value against its row again: it takes nothing for granted.
 */
#ifndef KMSD_COMMON_CONFIG_WIRE_H
#define KMSD_COMMON_CONFIG_WIRE_H

#include "kmsd/common/config.h"

#define CONFIG_WIRE_MAX (256 * 1024)

/* For one reader; the length. Whatever config_parse accepts fits. */
size_t config_encode(
    uint8_t out[CONFIG_WIRE_MAX], const struct config *c, enum config_reader reader);
/*
 * KMS_OK, KMS_E_BAD_VERSION (of another version), KMS_E_TRUNCATED, KMS_E_TRAILING or KMS_E_FORMAT.
 * What no row gives is zero; out is all zero on failure.
 */
int config_decode(struct config *out, const uint8_t *in, size_t len, enum config_reader reader);

/*
 * A number that distinguishes configurations: of all values that kmsd takes only at a start
 * (restart), or also at a reload. Those that only kmsctl reads are not included. FNV-1a: a
 * collision has no use for an attacker.
 */
uint64_t config_mark(const struct config *c, bool restart);

#endif
