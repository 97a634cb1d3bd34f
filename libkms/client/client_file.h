/*
 * client_file.h - what a client's two files, state.h and secret.h, have in common in every version:
 *
 *   0  8  magic
 *   8  2  version
 *  10  2  zero
 *  12  4  length of the whole file
 *  16  .. the file's own
 *     32  BLAKE2b-256 of all before
 */
#ifndef KMS_LIBKMS_CLIENT_CLIENT_FILE_H
#define KMS_LIBKMS_CLIENT_CLIENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#define CLIENT_FILE_HEAD 16
#define CLIENT_FILE_SUM 32

/* Fills in head and sum; len: of the whole file, with both. */
void client_file_close(uint8_t *out, size_t len, const char magic[8], uint16_t version);
/*
 * KMS_OK: whole and unaltered, and of this version; KMS_E_STATE: damaged; KMS_E_SCHEMA: whole, but
 * of another version. *found: its version, except when it is damaged.
 */
int client_file_check(
    const uint8_t *in, size_t len, const char magic[8], uint16_t version, uint16_t *found);

#endif
