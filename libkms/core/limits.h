/*
 * limits.h - the size of everything that travels or is stored, in bytes, in one place. Each number
 * is an expression over those above it. The codec of a structure asserts its own numbers; nobody
 * else defines one.
 */
#ifndef KMS_LIBKMS_CORE_LIMITS_H
#define KMS_LIBKMS_CORE_LIMITS_H

/* TLV tails: type 2, length 2 and value, of all TLVs together. */
#define TAIL_HELLO 64
#define TAIL_REQUEST 512
#define TAIL_REPLY 256

/* Widths of texts. */
#define MESSAGE_NAME 64 /* of a host or a user */

/* Texts inside REQUEST and REPLY: the fixed part. */
#define MESSAGE_REQUEST_TEXT 144
#define MESSAGE_REPLY_TEXT 52

#endif
