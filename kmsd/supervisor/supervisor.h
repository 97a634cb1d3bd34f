/*
 * supervisor.h - kmsd's own state. kmsd reads the ini file, opens what the children need, starts,
 * restarts and ends them. It reads nothing from the network.
 */
#ifndef KMSD_SUPERVISOR_SUPERVISOR_H
#define KMSD_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kmsd/common/config.h"
#include "kmsd/ipc/ipc.h"
#include "kmsd/supervisor/pem_files.h"
#include "libkms/base/clock.h"

/* Exit codes, kmsd(8). */
enum {
	EXIT_OK = 0,
	EXIT_CONFIG = 1, /* ini file invalid or unreadable */
	EXIT_USAGE = 2,
	/*
	 * Not 3 to 7, which systemctl shows with the names that LSB gave them ("NOTIMPLEMENTED",
	 * "NOPERMISSION"); these are sysexits.h's: unavailable, software.
	 */
	EXIT_START = 69,    /* an address, directory, user or child was not available */
	EXIT_ACTIVATE = 70, /* the activation process ended */
};

enum child_state { CHILD_ABSENT, CHILD_STARTING, CHILD_READY };

struct child {
	const char *program; /* "kmsd-front" */
	int index;           /* which front; -1: another program, of which there is one */
	enum config_reader reader;
	pid_t pid; /* 0: none */
	int sock;  /* our end of the PARENT channel, -1: none */
	enum child_state state;
	int64_t deadline;   /* ms: ready or gone by then, 0: no limit */
	int64_t restart_at; /* ms, 0: no restart due */
	int64_t ready_at;   /* ms */
	unsigned failures;  /* deaths in a row, for the back-off */
	/* ping.h */
	uint32_t ping;       /* number of the last one */
	bool ping_waits;     /* it has no answer yet */
	unsigned unanswered; /* intervals since then */
	int64_t pinged_at;   /* ms: the beginning of this interval */
};

enum phase {
	PHASE_STARTING, /* activate is not ready yet */
	PHASE_SERVING,
	PHASE_STOPPING_FRONTS,
	PHASE_STOPPING_ACTIVATE,
	PHASE_STOPPING_SHARE,
	PHASE_DONE,
};

#define SHARE_FILES 3 /* enum ipc_share_tls */

struct supervisor {
	const char *ini_path;
	const char *libexec;
	unsigned start_timeout; /* seconds */
	/* As started, and what needs no restart as last read and found valid. */
	struct config config;
	unsigned activate_uid, activate_gid;
	uint16_t port;
	int listeners[CONFIG_FRONTS][CONFIG_ADDRESSES];
	uint8_t listener_addresses[CONFIG_ADDRESSES][16];
	unsigned listener_count; /* for each front */
	int64_t listen_check_at; /* ms: when they are looked at next */
	int control, state_dir, pid_file, signals;
	/* by enum ipc_secret, until the activation process has them; -1: none */
	int secrets[2];
	struct child activate;
	struct child fronts[CONFIG_FRONTS];
	struct child web; /* kmsd-web, when [web] asks for it */
	int web_listeners[CONFIG_ADDRESSES + 1];
	unsigned web_listener_count;
	unsigned web_inherited; /* bits: addresses of [web] listen that the service manager bound */
	bool web_on;            /* it is to run */
	/* share_child.h */
	struct child share;                       /* kmsd-share, when [share] has a name */
	struct ipc_upstreams members;             /* of the engine, as last known */
	struct pem_mark share_marks[SHARE_FILES]; /* of the files that the last one was given */
	int64_t share_at;                         /* ms: a start is tried again, 0: none */
	char share_fault[FAULT_TEXT];             /* why it cannot start, as was said last */
	bool share_on;                            /* it is to run */
	bool share_replaced;                      /* it was asked to end, for the next one */
	struct child resolver;                    /* there while names are resolved */
	struct ipc_upstreams hosts;               /* KMS hosts of the relay, as last known */
	int64_t resolve_at;                       /* ms, 0: never */
	unsigned resolved; /* bits: what kmsd-resolve has said, enum ipc_resolved */
	enum phase phase;
	/* ms: how often the service manager wants to hear of us, 0: never; and when next */
	int64_t watchdog, watchdog_at;
	bool announced; /* told the service manager that all are ready */
	int exit_code;
};

/*
 * Those that are looked after: activate, then the fronts, kmsd-web and kmsd-share; NULL: no more.
 */
static inline struct child *
child_at(struct supervisor *s, unsigned i)
{
	if (i == 0)
		return &s->activate;
	if (i <= s->config.fronts)
		return &s->fronts[i - 1];
	if (i == s->config.fronts + 1)
		return &s->web;
	return i == s->config.fronts + 2 ? &s->share : NULL;
}
#define SUPERVISED (CONFIG_FRONTS + 3)

#endif
