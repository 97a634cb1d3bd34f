/*
 * config.h - kms.ini(5) in memory. Read by kmsd as root from the file, by the
 * children from the text that kmsd hands them, and by kmsctl config check.
 *
 * config_schema.c is the one table of sections, keys, types, ranges, defaults and
 * one-line meanings; the parser, `kmsctl config check` and the man page's table come from it.
 */
#ifndef KMSD_COMMON_CONFIG_H
#define KMSD_COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_LISTEN_MAX 8
#define CONFIG_PUBLISHERS 16
#define CONFIG_DOMAINS 8
#define CONFIG_NETWORKS 32
#define CONFIG_NAME 254         /* a DNS name without its last dot */
#define CONFIG_MAX (256 * 1024) /* bytes of ini text */

struct config_publisher {
	char name[65];
	/* minisign public key line, "RW" + 54: shape checked here, parsed by activate */
	char key[57];
	/*
	 * Paths of its files, each with its .minisig beside it; read by kmsctl plan and apply.
	 * Empty: installed by hand.
	 */
	char policy[256], host_key[256], confirmation[256];
};

struct config {
	/* [kms] */
	char state_directory[256]; /* /var/lib/kms */
	/* /run/kms: control.sock (a socket path is short), kmsd.pid */
	char runtime_directory[92];
	char activate_user[33]; /* _kms */
	char front_user[33];    /* _kmsnet */
	char control_group[33]; /* empty: root and the daemon's own uid only */
	/* where kmsd-front and kmsd-activate are; default from configure */
	char libexec_directory[256];
	/* [keys]; each empty: none */
	char passphrase_credential[65]; /* name below $CREDENTIALS_DIRECTORY */
	char passphrase_file[256];
	char machine_file[256];
	/* [listen] */
	char address[CONFIG_LISTEN_MAX][64]; /* default "0.0.0.0" and "::" */
	unsigned address_count;
	/* 1688; 0: the system's choice, printed in the log and in runtime_directory/port */
	uint16_t port;
	unsigned fronts; /* 1..32, default 2 */
	/* [limits] */
	unsigned connections;  /* for each front, default 20000 */
	unsigned idle_timeout; /* seconds, default 300: connection without a frame */
	/* seconds, default 10: a new connection that sends nothing */
	unsigned first_timeout;
	unsigned frame_timeout;          /* seconds, default 10: a frame must be complete */
	unsigned connections_per_source; /* default 0, no limit */
	unsigned credits;                /* frames a front may have unanswered, default 1024 */
	/* [ledger] */
	uint64_t segment_size;        /* bytes, K M G suffixes; default 64M */
	unsigned overlay_records;     /* default 150000 */
	uint64_t map_size;            /* default 1G */
	unsigned checkpoint_interval; /* seconds, default 60 */
	unsigned batch;               /* most entries in a batch, default 1024 */
	unsigned session_cache;       /* session keys kept, default 20000 */
	/* [sandbox] */
	bool sandbox_required; /* default yes: refuse to start without */
	/* layers that may be missing: "landlock seccomp uid chroot netns" */
	char allow_missing[128];
	/* [log] */
	int log_level;   /* syslog(3) level, default info */
	bool log_syslog; /* target = syslog | stderr, default stderr (journald reads it) */
	/* [dns], read by kmsctl dns */
	char dns_domain[CONFIG_DOMAINS][CONFIG_NAME]; /* none: the host's own */
	unsigned dns_domain_count;
	char dns_host[CONFIG_NAME];              /* empty: this machine's full name */
	char dns_address[CONFIG_LISTEN_MAX][64]; /* none: no A and AAAA records */
	unsigned dns_address_count;
	unsigned dns_ttl;
	uint16_t dns_priority;
	uint16_t dns_weight;
	/* "name", "address", "address:port", "[v6]:port"; empty: the zone's primary */
	char dns_server[256];
	char tsig_key_file[256]; /* as nsupdate -k takes it; empty: none */
	bool gss_tsig;           /* Kerberos, for Active Directory */
	char keytab[256];        /* with gss_tsig; empty: the credential cache */
	char principal[256];     /* NAME@REALM, one of keytab's; empty: the first */
	bool publish_vlmcs;
	/* [firewall], read by kmsctl firewall */
	char allow[CONFIG_NETWORKS][64]; /* "10.0.0.0/8", "2001:db8::1" */
	unsigned allow_count;
	unsigned firewall_rate;      /* new connections of a source in a minute; 0: no limit */
	char firewall_interface[16]; /* empty: all */
	/*
	 * [relay], relay_config.h: texts were checked, and are parsed again where they are used
	 */
	char relay_upstream[192]; /* empty, and relay_domain empty: no relay */
	char relay_domain[192];
	char relay_nameserver[64]; /* empty: the system's */
	/* to which the fronts may connect besides those of relay_upstream */
	char relay_ports[64];
	char relay_allow[192]; /* client networks */
	/* seconds: one host, until it has answered a bind */
	unsigned relay_connect_timeout;
	/* seconds: the longest that a client waits for anything */
	unsigned relay_answer_timeout;
	unsigned relay_idle_timeout;     /* seconds */
	unsigned relay_per_source;       /* 0: no limit */
	unsigned relay_backoff;          /* seconds, doubling */
	unsigned relay_resolve_interval; /* seconds */
	/* [publisher NAME] */
	struct config_publisher publishers[CONFIG_PUBLISHERS];
	unsigned publisher_count;
};

struct config_error {
	int line; /* 0: the file as a whole */
	/* names the key and its valid values, and the nearest valid name for a typo */
	char text[256];
};

void config_defaults(struct config *c);
/*
 * Parse text over the defaults. Returns the number of errors (0: valid); the first max go to
 * errors. An unknown section or key, a value out of range and a key given twice are errors.
 */
unsigned config_parse(
    struct config *c, const char *text, size_t len, struct config_error *errors, unsigned max);
/* Whole file: KMS_OK with text malloc'd, KMS_E_IO, KMS_E_TOO_LARGE, KMS_E_NOT_FOUND. */
int config_read_file(const char *path, char **text, size_t *len);

/* The schema, for the man page, completion and kmsctl. Ends with section NULL. */
struct config_key {
	const char *section; /* "publisher NAME" for named sections */
	const char *key;
	const char *type; /* "seconds", "octets", "text", "yes/no", ... */
	const char *range;
	const char *def;
	bool restart; /* a change needs a restart */
	const char *meaning;
};
const struct config_key *config_schema(void);

/* Does a key of the schema have another value in b than in a? For what a reload changed. */
bool config_differs(const struct config_key *k, const struct config *a, const struct config *b);
/*
 * A number that distinguishes configurations: of all keys that kmsd takes only at a start
 * (restart), or also at a reload. [dns], [firewall] and a publisher's files are not included,
 * because only kmsctl reads them. FNV-1a: a collision has no use for an attacker.
 */
uint64_t config_mark(const struct config *c, bool restart);
/* The whole configuration as ini text, defaults included: it parses to the same. */
void config_print(const struct config *c, FILE *out);

#endif
