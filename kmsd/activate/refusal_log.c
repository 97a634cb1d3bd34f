/*
 * refusal_log.c - see refusal_log.h. Rate-limited by name: a client decides how often this happens.
 */
#include "kmsd/activate/refusal_log.h"

#include <stddef.h>

#include "kmsd/common/log.h"
#include "kmsd/ipc/ipc.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

static const struct {
	uint32_t status;
	const char *event;
} events[] = {
	{ KMS_E_NOT_ENABLED, "not-enabled" },
	{ KMS_E_NOT_CONFIRMED, "not-confirmed" },
	{ KMS_E_NOT_COVERED, "not-covered" },
	{ KMS_E_UNKNOWN_PRODUCT, "unknown-product" },
	{ KMS_E_KEY_EXPIRED, "certificate-expired" },
	{ KMS_E_VM_REFUSED, "vm-refused" },
	{ KMS_E_TIME_SKEW, "time-skew" },
	{ KMS_E_CAPACITY, "capacity" },
	{ KMS_E_CLASS_FULL, "class-full" },
	{ KMS_E_RECLAIMED, "reclaimed" },
	{ KMS_E_STATELESS, "stateless" },
	{ KMS_E_BORROW, "borrow" },
	{ KMS_E_BORROWED_OUT, "borrowed-out" },
	{ KMS_E_CLONE, "clone" },
	{ KMS_E_BINDING, "binding" },
	{ KMS_E_REVOKED, "revoked" },
	{ KMS_E_TOO_SOON, "too-soon" },
	{ KMS_E_UNKNOWN_HOST, "unknown-host" },
	{ KMS_E_UNKNOWN_KEY, "unknown-key" },
	{ KMS_E_LOCKED, "host-locked" },
	{ KMS_E_BAD_SEAL, "bad-seal" },
	{ KMS_E_BAD_REQUEST, "bad-request" },
	{ KMS_E_NOT_OFFERED, "not-offered" },
	/* An honest front already refuses the last two. */
	{ KMS_E_BAD_FRAME, "bad-frame" },
	{ KMS_E_BAD_VERSION, "bad-frame" },
	{ KMS_E_TOO_LARGE, "bad-frame" },
};

void
refusal_log(const struct ipc_frame *from, uint32_t status, const char *name)
{
	char address[ADDRESS_TEXT];

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (events[i].status != status)
			continue;
		log_limited(LOG_NOTICE, events[i].event, "%s port %u%s%s%s: %s",
		    address_text(address, from->address), from->port, *name ? " (" : "", name,
		    *name ? ")" : "", kms_strerror(status));
		return;
	}
}
