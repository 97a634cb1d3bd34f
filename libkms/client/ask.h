/*
 * ask.h - one request of a kms_activate, kms_renew or kms_release, over however many hosts it
 * takes: everything that is known of it between two steps.
 */
#ifndef KMS_LIBKMS_CLIENT_ASK_H
#define KMS_LIBKMS_CLIENT_ASK_H

#include "libkms/client/client.h"
#include "libkms/client/discover.h"
#include "libkms/client/transport.h"
#include "libkms/client/wait.h"

/* In this order; the last three again for each host, address and connection. */
enum ask_phase {
	ASK_LOCK,      /* another process has the state file */
	ASK_AGAIN,     /* the host that counts a client without state */
	ASK_HOSTS,     /* which hosts are there? */
	ASK_PREFER,    /* the one of the best that answered last */
	ASK_ADDRESSES, /* of one of them */
	ASK_CONNECT,
	ASK_CONVERSE,
	ASK_DONE,
};

struct dialogue;

struct ask {
	struct kms_client *c;
	uint8_t operation; /* enum message_operation */
	uint32_t borrow;   /* minutes; 0: an ordinary lease */
	uint8_t request_id[16];
	int64_t deadline; /* clock_ms, of the whole call */
	bool refreshed;   /* certificate fetched in this call from this host */
	bool caught_up;   /* sequence corrected once with this host */
	bool had_seat;    /* before this call */
	bool from_host;   /* result.status is what a host said */
	struct kms_result result;

	enum ask_phase phase;
	struct wait wait;   /* what the next step waits for */
	int64_t lock_until; /* clock_ms: no longer */
	struct discover dns;
	size_t host, hosts; /* the host that is tried, of so many */
	struct discover_host host_list[DISCOVER_HOSTS];
	size_t address, addresses; /* of it, likewise */
	struct discover_address address_list[DISCOVER_ADDRESSES];
	bool again;            /* that address is of ASK_AGAIN, not of a host of the list */
	bool asked_again;      /* there was one */
	int64_t host_until;    /* clock_ms: to connect to one of the addresses */
	int64_t connect_until; /* to this one */
	struct transport t;
	struct dialogue *dialogue; /* NULL: no connection */
};

/*
 * Notes why there is no better answer yet; a host's answer is kept when a later connection fails.
 */
void ask_note(struct ask *a, uint32_t status, bool from_host, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
