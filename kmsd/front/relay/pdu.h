/*
 * pdu.h - connection-oriented DCE/RPC PDUs as far as a relay must know them (C706 chapter 12,
 * MS-RPCE): headers and presentation contexts, in either byte order. The payload of a PDU is never
 * read, except the two numbers of the protocol's version, which are in clear.
 */
#ifndef KMSD_FRONT_RELAY_PDU_H
#define KMSD_FRONT_RELAY_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PDU_HEADER 16
#define PDU_MAX 5840    /* bytes of a fragment: what Windows offers over TCP */
#define PDU_CONTEXTS 16 /* presentation contexts of a bind that are kept */
#define PDU_SYNTAXES 8  /* transfer syntaxes of one context */
#define PDU_SYNTAX 20   /* bytes: UUID, version */

enum pdu_type {
	PDU_REQUEST = 0,
	PDU_RESPONSE = 2,
	PDU_FAULT = 3,
	PDU_BIND = 11,
	PDU_BIND_ACK = 12,
	PDU_BIND_NAK = 13,
	PDU_ALTER = 14, /* alter_context */
	PDU_ALTER_RESP = 15,
	PDU_SHUTDOWN = 17,
};

#define PDU_FIRST 0x01
#define PDU_LAST 0x02
#define PDU_DID_NOT_EXECUTE 0x20
#define PDU_OBJECT 0x80 /* the request names an object UUID */

/* Status of a fault; reasons of a bind_nak and of a rejected context. */
#define PDU_OP_RANGE 0x1c010002u     /* nca_s_op_rng_error */
#define PDU_UNKNOWN_IF 0x1c010003u   /* nca_s_unk_if */
#define PDU_COMM_FAILURE 0x1c010001u /* nca_s_comm_failure */
#define PDU_TOO_BUSY 0x1c010014u     /* nca_s_server_too_busy */
enum pdu_nak { PDU_NAK_CONGESTION = 1, PDU_NAK_LIMIT = 2, PDU_NAK_VERSION = 4, PDU_NAK_AUTH = 8 };
enum pdu_result { PDU_ACCEPTED = 0, PDU_USER_REJECTED = 1, PDU_REJECTED = 2, PDU_NEGOTIATED = 3 };
enum pdu_reason {
	PDU_REASON_NONE = 0,
	PDU_ABSTRACT_SYNTAX = 1,
	PDU_TRANSFER_SYNTAX = 2,
	PDU_LOCAL_LIMIT = 3
};

struct pdu {
	uint8_t type, flags, minor;
	bool big; /* big-endian integers */
	uint8_t drep[4];
	uint16_t length; /* of the whole fragment */
	uint16_t auth_length;
	uint32_t call_id;
	/* BIND, ALTER and their answers */
	uint16_t max_xmit, max_recv;
	uint32_t group;
	uint8_t context_count;
	struct pdu_context {
		uint16_t id;
		bool kms;                /* names the KMS interface */
		uint16_t result, reason; /* in an answer, by position; id is then 0 */
	} contexts[PDU_CONTEXTS];
	/* REQUEST, RESPONSE, FAULT */
	uint16_t context, opnum;
	uint32_t status;            /* FAULT */
	uint16_t stub, stub_length; /* where the payload is */
	uint16_t nak;               /* BIND_NAK: its reason */
};

enum pdu_whole {
	PDU_MORE, /* more bytes must come */
	PDU_WHOLE,
	PDU_BAD,           /* can never become a PDU */
	PDU_OTHER_VERSION, /* RPC, of a version that is not 5.0 or 5.1 */
};
/*
 * The header at the begin of data, and whether the whole fragment is there. p->length is set
 * when WHOLE.
 */
enum pdu_whole pdu_look(struct pdu *p, const uint8_t *data, size_t len);
/*
 * All of a whole fragment: KMS_OK, KMS_E_FORMAT, or KMS_E_TOO_LARGE (more contexts than are
 * kept).
 */
int pdu_parse(struct pdu *p, const uint8_t *data);

/*
 * Answers of our own, in the byte order of what they answer. Each returns its size; PDU_ANSWER
 * is enough.
 */
#define PDU_ANSWER (PDU_HEADER + 16 + 24 * PDU_CONTEXTS)
size_t pdu_build_fault(
    uint8_t out[PDU_ANSWER], const struct pdu *to, uint32_t status, bool executed);
size_t pdu_build_nak(uint8_t out[PDU_ANSWER], const struct pdu *to, enum pdu_nak reason);
/*
 * Rejects every context: one of another interface for that reason, one of ours with
 * PDU_REASON_NONE.
 */
size_t pdu_build_rejection(uint8_t out[PDU_ANSWER], const struct pdu *to);

/*
 * What a client begins with: a bind of the KMS interface in context 0, with NDR, little-endian.
 * Returns its size.
 */
#define PDU_BIND_SIZE 72
size_t pdu_build_bind(uint8_t out[PDU_BIND_SIZE], uint32_t call_id);

#endif
