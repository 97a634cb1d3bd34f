/*
 * byte_order.h - numbers to big-endian and back, as endian(3) has them.
 */
#ifndef KMS_LIBKMS_OS_BYTE_ORDER_H
#define KMS_LIBKMS_OS_BYTE_ORDER_H

#ifdef _WIN32 /* little-endian on every processor */
#define htobe16(x) __builtin_bswap16(x)
#define htobe32(x) __builtin_bswap32(x)
#define htobe64(x) __builtin_bswap64(x)
#define be16toh(x) __builtin_bswap16(x)
#define be32toh(x) __builtin_bswap32(x)
#define be64toh(x) __builtin_bswap64(x)
#else
#include <endian.h>
#endif

#endif
