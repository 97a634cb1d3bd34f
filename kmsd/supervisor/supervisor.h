/*
 * supervisor.h - kmsd's own state and the few functions between its files. kmsd reads the ini
 * file, opens what the children need, starts, restarts and ends them. It reads nothing from the
 * network.
 */
#ifndef KMSD_SUPERVISOR_SUPERVISOR_H
#define KMSD_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kmsd/common/config.h"
#include "kmsd/ipc/ipc.h"

#define FRONTS_MAX 32

/* Exit codes, kmsd(8). */
enum {
	EXIT_OK = 0,
	EXIT_CONFIG = 1, /* ini file invalid or unreadable */
	EXIT_USAGE = 2,
	EXIT_START = 3,    /* an address, directory, user or child was not available */
	EXIT_ACTIVATE = 4, /* the activation process ended */
};

enum child_state { CHILD_ABSENT, CHILD_STARTING, CHILD_READY };

struct child {
	const char *program; /* "kmsd-front" */
	int index;           /* which front; -1: activate */
	pid_t pid;           /* 0: none */
	int sock;            /* our end of the PARENT channel, -1: none */
	enum child_state state;
	int64_t deadline;   /* ms: ready or gone by then, 0: no limit */
	int64_t restart_at; /* ms, 0: no restart due */
	int64_t ready_at;   /* ms */
	unsigned failures;  /* deaths in a row, for the back-off */
};

enum phase {
	PHASE_STARTING, /* activate is not ready yet */
	PHASE_SERVING,
	PHASE_STOPPING_FRONTS,
	PHASE_STOPPING_ACTIVATE,
	PHASE_DONE,
};

struct supervisor {
	const char *ini_path;
	const char *libexec;
	unsigned start_timeout; /* seconds */
	struct config config;   /* as started */
	char *ini_text;         /* as last read and found valid: what children get */
	size_t ini_len;
	unsigned activate_uid, activate_gid;
	uint16_t port;
	int listeners[FRONTS_MAX][CONFIG_LISTEN_MAX];
	const char *listener_names[CONFIG_LISTEN_MAX];
	/* addresses of sockets that the service manager gave */
	char inherited[CONFIG_LISTEN_MAX][64];
	unsigned listener_count; /* for each front */
	int control, state_dir, pid_file, signals;
	/* by enum ipc_secret, until the activation process has them; -1: none */
	int secrets[2];
	struct child activate;
	struct child fronts[FRONTS_MAX];
	struct child resolver;      /* there while names are resolved */
	struct ipc_upstreams hosts; /* KMS hosts of the relay, as last known */
	int64_t resolve_at;         /* ms, 0: never */
	enum phase phase;
	/* ms: how often the service manager wants to hear of us, 0: never; and when next */
	int64_t watchdog, watchdog_at;
	bool announced; /* told the service manager that all are ready */
	int exit_code;
};

/* directories.c: users, directories, pid file, control socket. Each logs what is wrong. */
int prepare_users(struct supervisor *s);
int prepare_directories(struct supervisor *s);
int write_port(const struct supervisor *s);
void remove_runtime_files(struct supervisor *s);

/* secrets.c: the files that open the host's keys, as descriptors. Logs what is wrong. */
int open_secrets(struct supervisor *s);

/* capabilities.c: after everything is open, root's rights but for those that children need. */
void drop_capabilities(void);

/* listen.c: bind every address for every front; begin to listen once somebody can answer. */
int listen_bind(struct supervisor *s);
int listen_begin(struct supervisor *s);

/*
 * inherit.c: how many sockets the service manager left open from descriptor 3 on, and taking
 * them.
 */
unsigned inherited_count(void);
int listen_inherited(struct supervisor *s);

/* spawn.c */
int spawn_activate(struct supervisor *s);
int spawn_front(struct supervisor *s, unsigned index);
/* A sealed memory file with the ini text, to hand to one child. -1: errno. */
int ini_descriptor(const struct supervisor *s);
int child_send(struct child *c, uint8_t verb, uint8_t index, int fd);

/* Starts c's program; spawn.c's others hand it what it may have. */
int spawn_child(struct supervisor *s, struct child *c);
int send_config(struct supervisor *s, struct child *c);

/*
 * resolve.c: the hosts that a relay connects to. Their names are resolved by a short-lived child
 * (kmsd-resolve), at the start, on SIGHUP and now and then; fronts get addresses.
 */
void resolve_init(struct supervisor *s);
void resolve_now(struct supervisor *s);
void resolve_due(struct supervisor *s);
void resolve_message(struct supervisor *s);
void resolve_reap(struct supervisor *s);
void resolve_stop(struct supervisor *s);
void resolve_send(struct supervisor *s, struct child *front);

/* reap.c: what children say and how they end. */
void child_message(struct supervisor *s, struct child *c);
void reap_children(struct supervisor *s);
void child_deadlines(struct supervisor *s);

/* stop.c */
void stop_begin(struct supervisor *s, const char *why, int exit_code);
void stop_continue(struct supervisor *s);

/* signals.c: SIGHUP, SIGTERM, SIGINT, SIGCHLD through one descriptor. */
int signals_open(struct supervisor *s);
void signals_read(struct supervisor *s);

/* reload.c */
bool read_config(const char *path, struct config *c, char **text, size_t *len, bool to_stderr);
void reload(struct supervisor *s);

/* notify.c: sd_notify(3) without libsystemd. */
void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Milliseconds between signs of life, half of what WATCHDOG_USEC asks for; 0: none are wanted. */
int64_t notify_watchdog(void);

#endif
