/*
 * fuzz_item.c - items in a row, each with its aside: what is read is inside the bytes and encodes
 * to the same, and an aside that is one gives its own commitments.
 */
#include <string.h>

#include "libkms/core/entry.h"
#include "libkms/core/item.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static void
try_aside(const uint8_t *in, size_t len)
{
	uint8_t again[ASIDE_MAX];
	struct commitments c;
	struct aside a;

	if (aside_decode(&a, in, len) != KMS_OK)
		return;
	MUST(aside_encode(again, sizeof(again), &a) == len && memcmp(again, in, len) == 0);
	aside_commit(&c, &a);
	MUST(aside_gives(&a, &c));
	c.address[0] ^= 1;
	MUST(!aside_gives(&a, &c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[ITEM_MAX];
	struct wire_reader r;
	struct item i;

	wire_reader_init(&r, data, size);
	while (wire_left(&r) > 0) {
		const uint8_t *from = r.at;

		if (item_read(&r, &i) != KMS_OK)
			break;
		MUST(i.aside + i.aside_len == r.at && r.at <= data + size);
		MUST(item_size(&i) == (size_t)(r.at - from));
		MUST(item_encode(again, sizeof(again), &i) == item_size(&i));
		MUST(memcmp(again, from, item_size(&i)) == 0);
		try_aside(i.aside, i.aside_len);
	}
	try_aside(data, size);
	return 0;
}
