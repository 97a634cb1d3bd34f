/*
 * fuzz_relay_pdu.c - any bytes as a DCE/RPC PDU: what is taken for whole lies within its length,
 * and every answer of ours to it is a PDU itself, with its call and byte order.
 */
#include <string.h>

#include "kmsd/front/relay/pdu.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static void
check_answer(const struct pdu *to, const uint8_t *octets, size_t len)
{
	struct pdu p;

	MUST(len <= PDU_ANSWER);
	MUST(pdu_look(&p, octets, len) == PDU_WHOLE);
	MUST(p.length == len && p.call_id == to->call_id && p.big == to->big);
	MUST(pdu_parse(&p, octets) == KMS_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t answer[PDU_ANSWER];
	struct pdu p;

	if (pdu_look(&p, data, size) != PDU_WHOLE)
		return 0;
	MUST(p.length <= size && p.length >= PDU_HEADER && p.length <= PDU_MAX);
	if (pdu_parse(&p, data) != KMS_OK)
		return 0;
	MUST(p.context_count <= PDU_CONTEXTS);
	MUST(p.stub + p.stub_length <= p.length);
	check_answer(&p, answer, pdu_build_fault(answer, &p, PDU_OP_RANGE, false));
	check_answer(&p, answer, pdu_build_nak(answer, &p, PDU_NAK_LIMIT));
	if (p.context_count > 0)
		check_answer(&p, answer, pdu_build_rejection(answer, &p));
	return 0;
}
