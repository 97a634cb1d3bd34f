/*
 * ipc.h - every verb between kmsd's processes, its direction and its number.
 *
 * Two channels. FRONT: SOCK_STREAM socketpair between one front and activate;
 * frames are coalesced, so that a batch costs one system call each way.
 * PARENT: SOCK_SEQPACKET socketpair between kmsd and each child, carrying
 * descriptors (SCM_RIGHTS).
 *
 * FRONT frame: header of 40 bytes, big-endian, then the body.
 *    0  4  length of the body
 *    4  1  verb
 *    5  1  flags (IPC_CLOSE)
 *    6  2  port of the client
 *    8  8  token: the front's name for the connection, echoed in the reply
 *   16 16  address of the client (IPv4 as ::ffff:a.b.c.d), zero in replies
 *   32  8  zero
 *
 * Credits: activate tells a front at start how many frames it may have unanswered. Every HELLO and
 * REQUEST is answered by exactly one REPLY, which gives the credit back. A front that sends
 * without a credit, a verb that it may not send, a length above the limit or non-zero reserved
 * bytes is a compromised process: activate logs it and closes that channel; kmsd starts another
 * front.
 */
#ifndef KMSD_IPC_IPC_H
#define KMSD_IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/frame.h"

#define IPC_VERSION 2
#define IPC_HEADER 40
#define IPC_MAX_BODY (FRAME_HEADER + FRAME_MAX_REPLY)
#define IPC_MAX_TO_ACTIVATE (FRAME_HEADER + FRAME_MAX_REQUEST)
#define IPC_CLOSE 0x01 /* send this, then close the client's connection */

enum ipc_verb {
	/* front -> activate */
	/* body: u32 IPC_VERSION, u32 confinement layers in force (confine.h) */
	IPC_FRONT_READY = 1,
	IPC_HELLO = 2,       /* body: the client's whole HELLO frame */
	IPC_REQUEST = 3,     /* body: the client's whole REQUEST frame */
	IPC_FRONT_STATS = 4, /* body: ipc_front_stats; no reply, no credit */
	/* body: ipc_relayed, of the client that the header names; no reply, no credit */
	IPC_RELAYED = 5,
	/* activate -> front */
	IPC_WELCOME = 16,   /* body: u32 IPC_VERSION, u32 credits */
	IPC_REPLY = 17,     /* body: whole frame for the client */
	IPC_STATS_ASK = 18, /* front answers with IPC_FRONT_STATS */
};

struct ipc_frame {
	uint32_t length;
	uint8_t verb;
	uint8_t flags;
	uint16_t port;
	uint64_t token;
	uint8_t address[16];
};
void ipc_encode(uint8_t out[IPC_HEADER], const struct ipc_frame *f);
/*
 * KMS_OK or KMS_E_FORMAT (reserved bytes or unknown flags); limits and verbs are the caller's
 * to check.
 */
int ipc_decode(struct ipc_frame *f, const uint8_t in[IPC_HEADER]);

struct ipc_front_stats {
	uint64_t accepted, closed, open; /* connections */
	uint64_t requests, replies;
	uint64_t refused_frames; /* malformed, oversized ... */
	uint64_t timeouts;
	uint64_t refused_connections; /* limits */
	uint64_t evicted;             /* closed for a new one, of the source with most */
};
#define IPC_FRONT_STATS_SIZE 72
void ipc_front_stats_encode(uint8_t out[IPC_FRONT_STATS_SIZE], const struct ipc_front_stats *s);
int ipc_front_stats_decode(struct ipc_front_stats *s, const uint8_t *in, size_t len);

/*
 * One exchange that the relay passed, or could not pass. At most IPC_RELAYED_RATE a second of each
 * front are recorded; the front counts the others, activate drops any excess.
 */
#define IPC_RELAYED_RATE 20000
enum ipc_relayed_outcome {
	IPC_RELAYED_DONE = 1,    /* the host's response reached the client */
	IPC_RELAYED_FAULT = 2,   /* the host answered with a fault: status */
	IPC_RELAYED_LOST = 3,    /* the host disconnected during the call */
	IPC_RELAYED_LATE = 4,    /* it did not answer in time */
	IPC_RELAYED_NO_HOST = 5, /* none could be reached; upstream zero */
	IPC_RELAYED_REFUSED = 6, /* the host refused the bind: status is its reason */
};
#define IPC_RELAYED_OUTCOMES 6
#define IPC_UPSTREAM_NAME 64
struct ipc_relayed {
	uint8_t outcome;
	uint16_t major, minor;   /* of the KMS protocol, 0.0: not known */
	uint32_t sent, received; /* bytes of payload, from the client and from the host */
	uint32_t status;
	uint32_t latency;    /* microseconds */
	uint8_t address[16]; /* of the host */
	uint16_t port;
	char name[IPC_UPSTREAM_NAME + 1]; /* of the host, from the ini file or DNS */
};
#define IPC_RELAYED_FIXED 42 /* bytes before the name */
#define IPC_RELAYED_MAX (IPC_RELAYED_FIXED + IPC_UPSTREAM_NAME)
size_t ipc_relayed_encode(uint8_t out[IPC_RELAYED_MAX], const struct ipc_relayed *r);
int ipc_relayed_decode(struct ipc_relayed *r, const uint8_t *in, size_t len);

/*
 * The KMS hosts that a relay may use, resolved: what IPC_UPSTREAMS and IPC_RESOLVED carry in a
 * memfd.
 */
#define IPC_UPSTREAMS_MAX 32
struct ipc_upstream {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port, priority, weight;
	char name[IPC_UPSTREAM_NAME + 1];
};
struct ipc_upstreams {
	unsigned count;
	bool whole; /* IPC_RESOLVED: every name was resolved */
	struct ipc_upstream at[IPC_UPSTREAMS_MAX];
};
#define IPC_UPSTREAMS_SIZE (4 + IPC_UPSTREAMS_MAX * (23 + IPC_UPSTREAM_NAME))
size_t ipc_upstreams_encode(uint8_t out[IPC_UPSTREAMS_SIZE], const struct ipc_upstreams *u);
int ipc_upstreams_decode(struct ipc_upstreams *u, const uint8_t *in, size_t len);
/* Writes it into a sealed memory file (-1: errno), and reads it from any file. */
int ipc_upstreams_write(const struct ipc_upstreams *u);
int ipc_upstreams_read(struct ipc_upstreams *u, int fd);
bool ipc_upstreams_same(const struct ipc_upstreams *a, const struct ipc_upstreams *b);

/* What kmsd hands to kmsd-share at most. */
#define IPC_SHARE_MEMBERS 16          /* addresses */
#define IPC_SHARE_TLS_MAX (64 * 1024) /* bytes of one PEM file */

/* PARENT datagrams: u8 verb, u8 index, u16 zero, u32 value; at most one descriptor. */
enum ipc_parent_verb {
	/* kmsd -> child */
	IPC_CONFIG = 1, /* fd: sealed memory with the child's values of kms.ini (config_wire.h) */
	IPC_LISTEN = 2, /* fd: listening TCP socket (front) */
	IPC_STATE_DIR = 3, /* fd: state directory, O_DIRECTORY (activate) */
	IPC_CONTROL = 4,   /* fd: listening control socket (activate) */
	IPC_CHANNEL = 5,   /* fd: FRONT channel; index: which front */
	IPC_START = 6,     /* everything was sent: confine and serve */
	IPC_RELOAD = 7,    /* fd: the same, of kms.ini as it is now */
	IPC_STOP = 8,      /* answer what is in flight, then exit 0 */
	/* fd: file that unlocks the host's keys; index: enum ipc_secret (activate) */
	IPC_SECRET = 9,
	/*
	 * fd: ipc_upstreams. Front: at the start and whenever they change. kmsd-share: the engine's
	 * members, once
	 */
	IPC_UPSTREAMS = 10,
	IPC_PING = 11,  /* value: a number; a child that serves answers with IPC_PONG */
	IPC_WEB = 12,   /* fd: channel between activate and kmsd-web, web_peer.h (both) */
	IPC_SHARE = 13, /* fd: channel between activate and kmsd-share, share_verbs.h (both) */
	/* fd: bytes of a PEM file; index: enum ipc_share_tls (kmsd-share) */
	IPC_SHARE_TLS = 14,
	/* child -> kmsd */
	IPC_CHILD_READY = 16,  /* value: confinement layers in force */
	IPC_CHILD_FAILED = 17, /* value: status; kmsd logs and decides */
	/* fd: ipc_upstreams; index: enum ipc_resolved (kmsd-resolve, once for each) */
	IPC_RESOLVED = 18,
	IPC_PONG = 19,       /* value: the number of the ping; once for each */
	IPC_CHILD_BUSY = 20, /* opening the ledger goes on: wait as long again (activate) */
};
enum ipc_resolved {
	IPC_RESOLVED_HOSTS = 0,   /* of the relay */
	IPC_RESOLVED_MEMBERS = 1, /* of the engine */
};
enum ipc_share_tls {
	IPC_SHARE_AUTHORITY = 0,
	IPC_SHARE_CERTIFICATE = 1,
	IPC_SHARE_KEY = 2,
};
enum ipc_secret {
	IPC_SECRET_PASSPHRASE = 0, /* first line */
	IPC_SECRET_MACHINE = 1,    /* IPC_MACHINE_HEAD, 64 hexadecimal digits, end of line */
};
#define IPC_MACHINE_HEAD "KMS machine key 1\n"
#define IPC_PARENT_FD 3 /* descriptor of every child's PARENT channel */

struct ipc_parent {
	uint8_t verb;
	uint8_t index;
	uint32_t value;
	int fd; /* -1: none; the receiver owns it */
};
/* does not close m->fd. KMS_E_IO */
int ipc_parent_send(int sock, const struct ipc_parent *m);
/*
 * KMS_E_IO (errno EAGAIN too), KMS_E_PEER (closed or malformed), KMS_E_LIMIT (no descriptor was
 * left for the one that came)
 */
int ipc_parent_recv(int sock, struct ipc_parent *m);

/* Bytes in a sealed memory file, to be sent as a descriptor. -1: errno. */
int ipc_memory_write(const char *name, const void *bytes, size_t len);
/* All bytes of any such file. KMS_E_IO, KMS_E_TRAILING: there are more than size. */
int ipc_memory_read(int fd, void *bytes, size_t size, size_t *len);

#endif
