/*
 * config.h - kms.ini(5) in memory: every value as what it means. kmsd reads the file as root and
 * hands each child the values that it needs (config_wire.h); kmsctl reads it too.
 *
 * config_schema.c is the one table of sections, keys, types, ranges, defaults and one-line
 * meanings; the parser, the printer, the encoding for children and the man page's table come from
 * it.
 */
#ifndef KMSD_COMMON_CONFIG_H
#define KMSD_COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/common/network.h"
#include "kmsd/common/rate.h"

#define CONFIG_MAX (256 * 1024) /* bytes of ini text */
#define CONFIG_FRONTS 32        /* processes kmsd-front, at most */
#define CONFIG_PUBLISHERS 16
#define CONFIG_ADDRESSES 8
#define CONFIG_DOMAINS 8
#define CONFIG_NETWORKS 32
#define CONFIG_ENDPOINTS 16
#define CONFIG_PORTS 16
#define CONFIG_MEMBERS 8 /* of the engine */
#define CONFIG_CLASSES 64
#define CONFIG_PATTERNS 16
#define CONFIG_PATTERN 64 /* bytes of one */

struct config_addresses {
	unsigned count;
	uint8_t at[CONFIG_ADDRESSES][16];
};
struct config_domains {
	unsigned count;
	char at[CONFIG_DOMAINS][DNS_NAME];
};
struct config_networks {
	unsigned count;
	struct network at[CONFIG_NETWORKS];
};
struct config_endpoints {
	unsigned count;
	struct endpoint at[CONFIG_ENDPOINTS];
};
struct config_ports {
	unsigned count;
	uint16_t at[CONFIG_PORTS];
};

struct config_patterns {
	unsigned count;
	char at[CONFIG_PATTERNS][CONFIG_PATTERN + 1];
};

/* Sections that may come several times begin with their name. */
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

/* What a host does while it hears no engine, for alone_for at most. */
enum config_alone {
	CONFIG_ALONE_SERVE, /* all, from the rights that it has */
	CONFIG_ALONE_RENEW, /* clients that have a seat, and no others */
	CONFIG_ALONE_REFUSE,
};

/* The administrator's classes of clients: the first that matches counts (kmsd/activate/classes.h).
 */
struct config_class {
	char name[33];
	char publisher[65]; /* whose pool it is; empty: of the only one that has it */
	char pool[33];      /* by its name in the pack */
	/* A client matches by both; one that is empty matches all. */
	struct config_networks networks;
	struct config_patterns names; /* of hosts or users (libkms/base/glob.h) */
	uint32_t reserve;             /* seats that are kept free for it */
	uint32_t limit;               /* most seats that it may have; 0: no limit */
};

struct config {
	/* [kms] */
	char state_directory[256]; /* /var/lib/kms */
	/* /run/kms: control.sock (a socket path is short), kmsd.pid */
	char runtime_directory[92];
	char activate_user[33]; /* _kms */
	char front_user[33];    /* _kmsnet */
	char web_user[33];      /* _kmsweb */
	char share_user[33];    /* _kmsshare */
	char control_group[33]; /* empty: root and the daemon's own uid only */
	char monitor_group[33]; /* empty: none */
	/* where kmsd-front and kmsd-activate are; default from configure */
	char libexec_directory[256];
	unsigned ping_interval; /* seconds, default 5; 0: never */
	/* [keys]; each empty: none */
	char passphrase_credential[65]; /* name below $CREDENTIALS_DIRECTORY */
	char passphrase_file[256];
	char machine_file[256];
	unsigned exchange_rotation; /* days */
	/* [listen] */
	struct config_addresses address; /* default 0.0.0.0 and :: */
	/* 1688; 0: the system's choice, printed in the log and in runtime_directory/port */
	uint16_t port;
	unsigned fronts; /* default 2 */
	/* [limits] */
	unsigned connections;  /* for each front, default 20000 */
	unsigned idle_timeout; /* seconds, default 300: connection without a frame */
	/* seconds, default 10: a new connection that sends nothing */
	unsigned first_timeout;
	unsigned frame_timeout;          /* seconds, default 10: a frame must be complete */
	unsigned connections_per_source; /* for each front, default 1000; 0: no limit */
	unsigned credits;                /* frames a front may have unanswered, default 1024 */
	/* entries of new clients, and others that no interval paces: of one source; of all */
	struct rate new_clients_per_source;
	struct rate new_clients;
	struct rate entries;            /* of all clients, of any kind */
	unsigned renewals_per_interval; /* of a client in its renewal interval, default 8 */
	uint64_t disk_reserve;          /* bytes; with less free only renewals are written */
	/* networks whose machines share addresses: no limit of their own for them */
	struct config_networks exempt;
	struct config_networks proxies; /* balancers that say in front of what a source is */
	/* [ledger] */
	uint64_t segment_size;        /* bytes, default 64M */
	unsigned overlay_records;     /* default 150000 */
	uint64_t map_size;            /* bytes, default 1G */
	unsigned checkpoint_interval; /* seconds, default 60 */
	unsigned batch;               /* most entries in a batch, default 1024 */
	unsigned session_cache;       /* most session keys kept, default 1000000 */
	unsigned keep;                /* days; 0: for ever */
	unsigned keep_names;          /* the same */
	/* [sandbox] */
	bool sandbox_required;  /* default yes: refuse to start without */
	uint32_t allow_missing; /* layers that may be missing, confine.h */
	/* [log] */
	unsigned log_level; /* syslog(3) level, default info */
	bool log_syslog;    /* target = syslog | stderr, default stderr (journald reads it) */
	/* [dns], read by kmsctl dns */
	struct config_domains dns_domains;     /* none: the host's own */
	char dns_host[DNS_NAME];               /* empty: this machine's full name */
	struct config_addresses dns_addresses; /* none: no A and AAAA records */
	unsigned dns_ttl;
	uint16_t dns_priority;
	uint16_t dns_weight;
	struct endpoint dns_server; /* port 0: the zone's primary */
	char tsig_key_file[256];    /* as nsupdate -k takes it; empty: none */
	bool gss_tsig;              /* Kerberos, for Active Directory */
	char keytab[256];           /* with gss_tsig; empty: the credential cache */
	char principal[256];        /* NAME@REALM, one of keytab's; empty: the first */
	bool publish_vlmcs;
	/* [firewall], read by kmsctl firewall */
	struct config_networks allow;
	unsigned firewall_rate;      /* new connections of a source in a minute; 0: no limit */
	char firewall_interface[16]; /* empty: all */
	/* [alerts], read by kmsctl doctor; the first two by kmsd-web, too */
	unsigned alerts_pool_used;   /* percent of a capacity */
	unsigned alerts_key_left;    /* days */
	unsigned alerts_disk_free;   /* percent */
	unsigned alerts_clock_error; /* seconds */
	bool alerts_strict;          /* warnings count */
	bool alerts_hourly;          /* kms-doctor.timer is enabled */
	/* [relay]; relay_config.h asks of several of them */
	struct config_endpoints relay_upstream; /* none, and relay_domain empty: no relay */
	char relay_domain[DNS_NAME];
	struct endpoint relay_nameserver; /* an address; port 0: the system's */
	/* to which the fronts may connect besides those of relay_upstream */
	struct config_ports relay_ports;
	struct config_networks relay_allow; /* of clients */
	/* seconds: one host, until it has answered a bind */
	unsigned relay_connect_timeout;
	/* seconds: the longest that a client waits for anything */
	unsigned relay_answer_timeout;
	unsigned relay_idle_timeout;     /* seconds */
	unsigned relay_per_source;       /* 0: no limit */
	unsigned relay_backoff;          /* seconds, doubling */
	unsigned relay_resolve_interval; /* seconds */
	/* [web]; no listen and no socket_group: no kmsd-web (web_configured) */
	struct config_endpoints web_listen; /* addresses and ports */
	char web_socket_group[33];       /* of runtime_directory/web.sock; empty: no such socket */
	struct config_domains web_hosts; /* under which the page may be asked for */
	unsigned web_connections;
	/* [share]; no name: this host counts by itself (share_configured) */
	char share_name[33];
	struct config_endpoints share_members; /* of the engine, etcd */
	/* PEM files; with a name, all three are given */
	char share_authority[256], share_certificate[256], share_key[256];
	unsigned share_alone;     /* enum config_alone */
	unsigned share_alone_for; /* days */
	unsigned share_reserve;   /* rights kept ready for each pool */
	/* [publisher NAME] */
	struct config_publisher publishers[CONFIG_PUBLISHERS];
	unsigned publisher_count;
	/* [class NAME], in the file's order */
	struct config_class classes[CONFIG_CLASSES];
	unsigned class_count;
	/* In a child: config_mark of all that kmsd has read, [0] at a reload and [1] at a start. */
	uint64_t marks[2];
};

/* There is to be a kmsd-web. */
static inline bool
web_configured(const struct config *c)
{
	return c->web_listen.count > 0 || c->web_socket_group[0] != '\0';
}

/* This host counts together with others: there is to be a kmsd-share. */
static inline bool
share_configured(const struct config *c)
{
	return c->share_name[0] != '\0';
}

/* -- the schema -- */

enum config_type {
	KEY_NUMBER,
	KEY_SECONDS,
	KEY_BYTES, /* with K, M, G */
	KEY_RATE,  /* struct rate, as BURST/REFILL; 0: no limit */
	KEY_DAYS,  /* 7d; 0 where that is in range */
	KEY_PORT,
	KEY_YES_NO,
	KEY_LEVEL,
	KEY_TARGET,
	KEY_LAYERS,
	KEY_DIRECTORY,
	KEY_FILE,
	KEY_CREDENTIAL,
	KEY_USER,
	KEY_GROUP,
	KEY_PUBLIC_KEY,
	KEY_INTERFACE,
	KEY_PRINCIPAL,
	KEY_DOMAIN,
	KEY_HOST_NAME,
	KEY_NAME_SERVER, /* a name or an address */
	KEY_RESOLVER,    /* an address */
	KEY_ADDRESS_LIST,
	KEY_HOST_ADDRESS_LIST,
	KEY_DOMAIN_LIST,
	KEY_NETWORK_LIST,
	KEY_UPSTREAM_LIST,
	KEY_PORT_LIST,
	KEY_LISTEN_LIST,
	KEY_NAME,         /* of something that another file or section defines */
	KEY_PATTERN_LIST, /* of names */
	KEY_SHARE_NAME,
	KEY_MEMBER_LIST,
	KEY_ALONE,
	KEY_TYPES,
};

/* The processes that a value is for; kmsctl reads them all. */
enum config_reader {
	CONFIG_KMSD = 1 << 0,
	CONFIG_FRONT = 1 << 1,
	CONFIG_ACTIVATE = 1 << 2,
	CONFIG_RESOLVE = 1 << 3,
	CONFIG_WEB = 1 << 4,
	CONFIG_SHARE = 1 << 5,
};

/* A row of the schema, which ends with section NULL. */
struct config_key {
	const char *section; /* "publisher NAME" for named sections */
	const char *key;
	enum config_type type;
	size_t offset, size; /* in struct config; of a named section in its record */
	uint64_t min, max;   /* of a number; of text its bytes, of a list its words */
	const char *def;
	bool restart;     /* a change takes effect when kmsd is restarted */
	unsigned readers; /* by enum config_reader */
	const char *meaning;
};
const struct config_key *config_schema(void);

/* A section that may come several times, each with another name; the table ends with word NULL. */
struct config_record {
	const char *section; /* "publisher NAME", as in its rows */
	const char *word;    /* "publisher" */
	size_t list, size;   /* in struct config: the records, and the size of one */
	size_t count;        /* the same: unsigned, how many there are */
	unsigned most;
	size_t name_max; /* bytes of the name, with which a record begins */
};
const struct config_record *config_records(void);
/* That of the row; NULL: of a section that is there once. */
const struct config_record *config_record_of(const struct config_key *k);
unsigned config_record_count(const struct config_record *d, const struct config *c);
/* The i-th of them. */
const void *config_record_at(const struct config_record *d, const struct config *c, unsigned i);
/* One more, with zeros; NULL: there are as many as there may be. */
void *config_record_add(const struct config_record *d, struct config *c);

/* Does a row have another value in b than in a? For what a reload changed. */
bool config_differs(const struct config_key *k, const struct config *a, const struct config *b);
/* Takes over from fresh what needs no restart. */
void config_reload(struct config *running, const struct config *fresh);

#endif
