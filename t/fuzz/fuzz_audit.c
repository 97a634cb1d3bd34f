/*
 * fuzz_audit.c - audit files: the reader alone, and the whole verification with a key that signed
 * nothing. Views stay within the file, and nothing is proved.
 */
#include <string.h>

#include "kmsctl/issue/audit.h"
#include "kmsctl/ledger/audit_file.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct audit_report report;
	static struct audit_batch batch;
	struct audit_options opt = { .to = UINT64_MAX };
	struct audit_document d;
	struct audit_reader r;
	struct fault fault = { 0 };
	int rc;

	if (audit_reader_init(&r, data, size) == KMS_OK) {
		while ((rc = audit_next_document(&r, &d)) == KMS_OK)
			MUST(d.octets >= data && d.octets + d.len <= data + size);
		while (rc == KMS_E_NOT_FOUND && audit_next_batch(&r, &batch) == KMS_OK)
			for (uint32_t i = 0; i < batch.header.size; i++)
				MUST(
				    batch.items[i].aside + batch.items[i].aside_len <= data + size);
	}
	MUST(audit_verify(&report, &opt, data, size, &fault) != KMS_OK);
	MUST(fault.text[0] != '\0');
	return 0;
}
