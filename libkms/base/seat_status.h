/*
 * seat_status.h - the refusals for which the seats of a pool are the reason: a seat that comes
 * back, or is given back, ends them.
 */
#ifndef KMS_LIBKMS_BASE_SEAT_STATUS_H
#define KMS_LIBKMS_BASE_SEAT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/kms_error.h"

static inline bool
status_lacks_seat(uint32_t status)
{
	return status == KMS_E_CAPACITY || status == KMS_E_CLASS_FULL ||
	       status == KMS_E_RECLAIMED || status == KMS_E_BORROWED_OUT;
}

#endif
