/*
 * config_schema.c - the one table of kms.ini's sections and keys. The parser, the defaults, the
 * printer, the encoding for the children, kmsctl's completion and the check of the man page all
 * read it; so a new key is one row here and a field in config.h.
 */
#include <string.h>
#include <syslog.h>

#include "kmsd/common/config.h"
#include "kmsd/common/confine.h"

/* RFC 1918, RFC 3927, RFC 4193 and link-local. */
#define PRIVATE4 "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16"
#define PRIVATE6 "fc00::/7 fe80::/10"

#define AT(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)
#define OF(field)                                                                                  \
	offsetof(struct config_publisher, field), sizeof(((struct config_publisher *)0)->field)

#define CL(field) offsetof(struct config_class, field), sizeof(((struct config_class *)0)->field)

#define M (UINT64_C(1) << 20)
#define RATE_MAX 1000000000 /* of both numbers of a rate */
#define G (UINT64_C(1) << 30)
#define ALL_LAYERS ((UINT64_C(1) << CONFINE_LAYERS) - 1)

/* When a change takes effect. */
#define RELOAD false
#define RESTART true
/* Who is given the value. */
#define KMSD CONFIG_KMSD
#define FRONT (CONFIG_KMSD | CONFIG_FRONT)
#define ACTIVATE (CONFIG_KMSD | CONFIG_ACTIVATE)
#define RELAY (CONFIG_KMSD | CONFIG_FRONT | CONFIG_RESOLVE)
#define RELAY_SHOWN (RELAY | CONFIG_ACTIVATE) /* kmsctl relay status asks activation */
#define RESOLVE (CONFIG_KMSD | CONFIG_RESOLVE)
#define WEB (CONFIG_KMSD | CONFIG_WEB)
#define SHARE (CONFIG_KMSD | CONFIG_SHARE)
/* kmsd-resolve looks members up, and activation counts with other hosts. */
#define SHARED (CONFIG_KMSD | CONFIG_ACTIVATE | CONFIG_RESOLVE)
#define CHILDREN                                                                                   \
	(CONFIG_KMSD | CONFIG_FRONT | CONFIG_ACTIVATE | CONFIG_RESOLVE | CONFIG_WEB | CONFIG_SHARE)
#define KMSCTL 0

/* clang-format off */
static const struct config_key keys[] = {
	{ "kms", "state_directory", KEY_DIRECTORY, AT(state_directory), 1, 255, KMS_STATEDIR, RESTART, KMSD,
	    "where the ledger, keys and policies are kept" },
	{ "kms", "runtime_directory", KEY_DIRECTORY, AT(runtime_directory), 1, 90, KMS_RUNDIR, RESTART, RELAY | WEB | CONFIG_SHARE,
	    "where the control socket, the process id and the port are written" },
	{ "kms", "activate_user", KEY_USER, AT(activate_user), 1, 32, "_kms", RESTART, ACTIVATE,
	    "user that runs the activation process when kmsd is started by root" },
	{ "kms", "front_user", KEY_USER, AT(front_user), 1, 32, "_kmsnet", RESTART, RELAY,
	    "user that runs the network processes when kmsd is started by root" },
	{ "kms", "web_user", KEY_USER, AT(web_user), 1, 32, "_kmsweb", RESTART, WEB,
	    "user that runs the process for the page and metrics when kmsd is started by root" },
	{ "kms", "share_user", KEY_USER, AT(share_user), 1, 32, "_kmsshare", RESTART, SHARE,
	    "user that runs the process which speaks to etcd when kmsd is started by root" },
	{ "kms", "control_group", KEY_GROUP, AT(control_group), 0, 32, "", RESTART, ACTIVATE,
	    "group whose members may use kmsctl; empty: only root and the daemon's own user" },
	{ "kms", "monitor_group", KEY_GROUP, AT(monitor_group), 0, 32, "", RESTART, ACTIVATE,
	    "group whose members may use the commands of kmsctl that only show something; empty: none" },
	{ "kms", "libexec_directory", KEY_DIRECTORY, AT(libexec_directory), 1, 255, KMS_LIBEXECDIR, RESTART, KMSD,
	    "where kmsd-front and kmsd-activate are installed" },
	{ "kms", "ping_interval", KEY_SECONDS, AT(ping_interval), 0, 3600, "5", RELOAD, KMSD,
	    "how often kmsd asks each process whether it still serves; 0: never" },
	{ "keys", "passphrase_credential", KEY_CREDENTIAL, AT(passphrase_credential), 0, 64, "", RESTART, KMSD,
	    "systemd credential that holds the passphrase of the host's keys; empty: none" },
	{ "keys", "passphrase_file", KEY_FILE, AT(passphrase_file), 0, 255, "", RESTART, KMSD,
	    "file whose first line is the passphrase of the host's keys; empty: none" },
	{ "keys", "machine_file", KEY_FILE, AT(machine_file), 0, 255, "", RESTART, KMSD,
	    "file, outside the state directory, to which the host's keys can be bound; created if absent" },
	{ "keys", "exchange_rotation", KEY_DAYS, AT(exchange_rotation), 1, 30, "7d", RELOAD, ACTIVATE,
	    "how long one exchange key is used; after that, nobody can read requests that were recorded during that time" },
	{ "listen", "address", KEY_ADDRESS_LIST, AT(address), 1, CONFIG_ADDRESSES, "0.0.0.0 ::", RESTART, KMSD,
	    "IPv4 and IPv6 addresses to listen on, separated by blanks" },
	{ "listen", "port", KEY_PORT, AT(port), 0, 65535, "1688", RESTART, ACTIVATE,
	    "TCP port; 0 lets the system choose and writes it to runtime_directory/port" },
	{ "listen", "fronts", KEY_NUMBER, AT(fronts), 1, CONFIG_FRONTS, "2", RESTART, ACTIVATE,
	    "how many network processes share the port" },
	{ "limits", "connections", KEY_NUMBER, AT(connections), 1, 1000000, "20000", RELOAD, FRONT,
	    "most open connections of one network process" },
	{ "limits", "idle_timeout", KEY_SECONDS, AT(idle_timeout), 1, 86400, "300", RELOAD, FRONT,
	    "a connection whose last request was answered this long ago is closed" },
	{ "limits", "first_timeout", KEY_SECONDS, AT(first_timeout), 1, 3600, "10", RELOAD, FRONT,
	    "a new connection that has sent no request for this long is closed" },
	{ "limits", "frame_timeout", KEY_SECONDS, AT(frame_timeout), 1, 3600, "10", RELOAD, FRONT,
	    "a frame must be complete within this time" },
	{ "limits", "connections_per_source", KEY_NUMBER, AT(connections_per_source), 0, 1000000, "1000", RELOAD, FRONT,
	    "most open connections from one address to one network process; 0: no limit" },
	{ "limits", "new_clients_per_source", KEY_RATE, AT(new_clients_per_source), 0, RATE_MAX, "20000/20", RELOAD, ACTIVATE,
	    "new clients of one address, as BURST/REFILL: at once, and per second after that; 0: no limit" },
	{ "limits", "new_clients", KEY_RATE, AT(new_clients), 0, RATE_MAX, "200000/200", RELOAD, ACTIVATE,
	    "new clients of all addresses, as BURST/REFILL: at once, and per second after that; 0: no limit" },
	{ "limits", "entries", KEY_RATE, AT(entries), 0, RATE_MAX, "1000000/500", RELOAD, ACTIVATE,
	    "entries of all clients, as BURST/REFILL: at once, and per second after that; 0: no limit" },
	{ "limits", "renewals_per_interval", KEY_NUMBER, AT(renewals_per_interval), 8, 1000000, "8", RELOAD, ACTIVATE,
	    "most renewals of a client in one renewal interval" },
	{ "limits", "disk_reserve", KEY_BYTES, AT(disk_reserve), 0, 1024 * G, "64M", RELOAD, ACTIVATE,
	    "if the ledger's disk has less free space than this, only renewals are written" },
	{ "limits", "exempt", KEY_NETWORK_LIST, AT(exempt), 0, CONFIG_NETWORKS, "", RELOAD, FRONT | ACTIVATE,
	    "networks in which many machines share an address; limits for each address do not apply there" },
	{ "limits", "proxies", KEY_NETWORK_LIST, AT(proxies), 0, CONFIG_NETWORKS, "", RELOAD, FRONT,
	    "addresses of load balancers; each of their connections must begin with a PROXY header" },
	{ "limits", "credits", KEY_NUMBER, AT(credits), 1, 65536, "1024", RESTART, ACTIVATE,
	    "most requests of one network process that wait for an answer" },
	{ "ledger", "segment_size", KEY_BYTES, AT(segment_size), M, 4 * G, "64M", RESTART, ACTIVATE,
	    "size of one journal file" },
	{ "ledger", "overlay_records", KEY_NUMBER, AT(overlay_records), 1000, 10000000, "150000", RESTART, ACTIVATE,
	    "most changed clients kept in memory until they are written to the index" },
	{ "ledger", "map_size", KEY_BYTES, AT(map_size), M, 1024 * G, "1G", RESTART, ACTIVATE,
	    "size of the index's memory map at the start; it grows by itself" },
	{ "ledger", "checkpoint_interval", KEY_SECONDS, AT(checkpoint_interval), 1, 86400, "60", RESTART, ACTIVATE,
	    "how often the index is written" },
	{ "ledger", "batch", KEY_NUMBER, AT(batch), 1, 65536, "1024", RESTART, ACTIVATE,
	    "most requests that share one signature and one write" },
	{ "ledger", "session_cache", KEY_NUMBER, AT(session_cache), 0, 10000000, "1000000", RESTART, ACTIVATE,
	    "most session keys kept in locked memory" },
	{ "ledger", "keep", KEY_DAYS, AT(keep), 0, 3660, "0", RELOAD, ACTIVATE,
	    "how long the journal is kept, at least as long as each publisher's pack asks for; 0: for ever" },
	{ "ledger", "keep_names", KEY_DAYS, AT(keep_names), 0, 3660, "0", RELOAD, ACTIVATE,
	    "how long names, users and addresses of clients are kept in the journal; 0: for ever" },
	{ "sandbox", "required", KEY_YES_NO, AT(sandbox_required), 0, 1, "yes", RESTART, CHILDREN,
	    "refuse to start when a layer of the sandbox cannot be applied" },
	{ "sandbox", "allow_missing", KEY_LAYERS, AT(allow_missing), 0, ALL_LAYERS, "", RESTART, CHILDREN,
	    "layers that may be missing: no-new-privs uid chroot netns landlock seccomp rlimits no-core" },
	{ "relay", "upstream", KEY_UPSTREAM_LIST, AT(relay_upstream), 0, CONFIG_ENDPOINTS, "", RESTART, RELAY_SHOWN,
	    "KMS hosts for Windows clients, host[:port][/priority[/weight]], separated by blanks" },
	{ "relay", "domain", KEY_DOMAIN, AT(relay_domain), 0, 190, "", RESTART, RELAY_SHOWN,
	    "domain whose SRV records _vlmcs._tcp name more KMS hosts" },
	{ "relay", "nameserver", KEY_RESOLVER, AT(relay_nameserver), 0, 255, "", RESTART, RESOLVE,
	    "name server that resolves the KMS hosts, address[:port]; empty: the system's name servers" },
	{ "relay", "ports", KEY_PORT_LIST, AT(relay_ports), 0, CONFIG_PORTS, "1688", RESTART, RELAY,
	    "ports that hosts found in DNS may use; the network processes can connect to no others" },
	{ "relay", "allow", KEY_NETWORK_LIST, AT(relay_allow), 0, CONFIG_NETWORKS,
	    PRIVATE4 " 127.0.0.0/8 " PRIVATE6 " ::1", RELOAD, FRONT,
	    "networks whose clients are relayed" },
	{ "relay", "connect_timeout", KEY_SECONDS, AT(relay_connect_timeout), 1, 60, "3", RELOAD, FRONT,
	    "after this long without an answer to a bind, the next host is tried" },
	{ "relay", "answer_timeout", KEY_SECONDS, AT(relay_answer_timeout), 1, 300, "10", RELOAD, FRONT,
	    "no client waits longer than this for an answer or a refusal" },
	{ "relay", "idle_timeout", KEY_SECONDS, AT(relay_idle_timeout), 1, 86400, "60", RELOAD, FRONT,
	    "a relayed connection without a request for this long is closed" },
	{ "relay", "connections_per_source", KEY_NUMBER, AT(relay_per_source), 0, 1000000, "64", RELOAD, FRONT,
	    "most relayed connections from one address to one network process; 0: no limit" },
	{ "relay", "backoff", KEY_SECONDS, AT(relay_backoff), 1, 300, "2", RELOAD, FRONT,
	    "a host that failed is not used for this long; each further failure doubles the time, up to 5 minutes" },
	{ "relay", "resolve_interval", KEY_SECONDS, AT(relay_resolve_interval), 5, 86400, "300", RELOAD, KMSD,
	    "how often names are resolved again" },
	{ "web", "listen", KEY_LISTEN_LIST, AT(web_listen), 0, CONFIG_ADDRESSES, "", RESTART, KMSD,
	    "addresses for the page and for metrics, address:port, separated by blanks; empty: none" },
	{ "web", "socket_group", KEY_GROUP, AT(web_socket_group), 0, 32, "", RESTART, KMSD,
	    "group whose members may connect to the Unix socket runtime_directory/web.sock; empty: no such socket" },
	{ "web", "hosts", KEY_DOMAIN_LIST, AT(web_hosts), 0, CONFIG_DOMAINS, "", RELOAD, WEB,
	    "names of this host that browsers may use for the page, besides localhost and addresses" },
	{ "web", "connections", KEY_NUMBER, AT(web_connections), 1, 1000, "64", RESTART, WEB,
	    "most open connections; a new one beyond that closes the oldest" },
	{ "share", "name", KEY_SHARE_NAME, AT(share_name), 0, 32, "", RESTART, SHARED,
	    "the share: hosts of this name count together; empty: this host counts by itself" },
	{ "share", "members", KEY_MEMBER_LIST, AT(share_members), 0, CONFIG_MEMBERS, "", RESTART, SHARED,
	    "members of the etcd cluster in which the hosts leave their batches, host[:port], separated by blanks" },
	{ "share", "authority", KEY_FILE, AT(share_authority), 0, 255, "", RELOAD, KMSD,
	    "PEM file with the certificates of the authority that signs those of the members" },
	{ "share", "certificate", KEY_FILE, AT(share_certificate), 0, 255, "", RELOAD, KMSD,
	    "PEM file with the certificate that this host shows to the members" },
	{ "share", "key", KEY_FILE, AT(share_key), 0, 255, "", RELOAD, KMSD,
	    "PEM file with the private key of this certificate" },
	{ "share", "alone", KEY_ALONE, AT(share_alone), CONFIG_ALONE_SERVE, CONFIG_ALONE_REFUSE, "serve", RELOAD, ACTIVATE,
	    "what this host does while no majority of the members answers" },
	{ "share", "alone_for", KEY_DAYS, AT(share_alone_for), 1, 3660, "30d", RELOAD, ACTIVATE,
	    "how long it does so; after that, it refuses all clients" },
	{ "share", "reserve", KEY_NUMBER, AT(share_reserve), 0, 1000000, "16", RELOAD, ACTIVATE,
	    "rights to new seats that this host keeps ready for each pool" },
	{ "log", "level", KEY_LEVEL, AT(log_level), LOG_ERR, LOG_DEBUG, "info", RELOAD, CHILDREN,
	    "the least important level that is written" },
	{ "log", "target", KEY_TARGET, AT(log_syslog), 0, 1, "stderr", RESTART, CHILDREN,
	    "where log lines go; journald reads stderr" },
	{ "dns", "domains", KEY_DOMAIN_LIST, AT(dns_domains), 0, CONFIG_DOMAINS, "", RELOAD, KMSCTL,
	    "domains in which clients look for this host; empty: the host's own" },
	{ "dns", "host", KEY_HOST_NAME, AT(dns_host), 0, 253, "", RELOAD, KMSCTL,
	    "the name that the records point to; empty: this machine's full name" },
	{ "dns", "addresses", KEY_HOST_ADDRESS_LIST, AT(dns_addresses), 0, CONFIG_ADDRESSES, "", RELOAD, KMSCTL,
	    "A and AAAA records to publish for the host; empty: none" },
	{ "dns", "ttl", KEY_SECONDS, AT(dns_ttl), 30, 604800, "3600", RELOAD, KMSCTL,
	    "how long resolvers may keep the records (TTL)" },
	{ "dns", "priority", KEY_NUMBER, AT(dns_priority), 0, 65535, "0", RELOAD, KMSCTL,
	    "this host's priority; clients try hosts with a lower number first" },
	{ "dns", "weight", KEY_NUMBER, AT(dns_weight), 0, 65535, "0", RELOAD, KMSCTL,
	    "this host's share among hosts of the same priority" },
	{ "dns", "server", KEY_NAME_SERVER, AT(dns_server), 0, 255, "", RELOAD, KMSCTL,
	    "where updates are sent; empty: the zone's primary name server, from its SOA record" },
	{ "dns", "tsig_key_file", KEY_FILE, AT(tsig_key_file), 0, 255, "", RELOAD, KMSCTL,
	    "file with the TSIG key that signs updates, in the format of nsupdate -k; empty: none" },
	{ "dns", "gss_tsig", KEY_YES_NO, AT(gss_tsig), 0, 1, "no", RELOAD, KMSCTL,
	    "sign updates with Kerberos, as Active Directory requires" },
	{ "dns", "keytab", KEY_FILE, AT(keytab), 0, 255, "", RELOAD, KMSCTL,
	    "Kerberos keytab for the ticket of gss_tsig; empty: the credential cache" },
	{ "dns", "principal", KEY_PRINCIPAL, AT(principal), 0, 255, "", RELOAD, KMSCTL,
	    "principal whose key in the keytab is used; empty: the first one" },
	{ "dns", "publish_vlmcs", KEY_YES_NO, AT(publish_vlmcs), 0, 1, "no", RELOAD, KMSCTL,
	    "also publish _vlmcs._tcp, when this host relays" },
	{ "firewall", "allow", KEY_NETWORK_LIST, AT(allow), 1, CONFIG_NETWORKS, PRIVATE4 " " PRIVATE6, RELOAD, KMSCTL,
	    "networks whose machines may connect" },
	{ "firewall", "rate", KEY_NUMBER, AT(firewall_rate), 0, 100000, "6000", RELOAD, KMSCTL,
	    "most new connections from one address in a minute; 0: no limit" },
	{ "firewall", "interface", KEY_INTERFACE, AT(firewall_interface), 0, 15, "", RELOAD, KMSCTL,
	    "the only network interface, beside lo, on which clients may connect; empty: all" },
	{ "alerts", "pool_used", KEY_NUMBER, AT(alerts_pool_used), 1, 100, "90", RELOAD, WEB,
	    "warn when this percentage of a pool's capacity is in use" },
	{ "alerts", "key_left", KEY_DAYS, AT(alerts_key_left), 0, 3660, "30d", RELOAD, WEB,
	    "warn when a host key or confirmation ends within this time" },
	{ "alerts", "disk_free", KEY_NUMBER, AT(alerts_disk_free), 0, 100, "10", RELOAD, KMSCTL,
	    "warn when less than this percentage of the ledger's disk is free" },
	{ "alerts", "clock_error", KEY_SECONDS, AT(alerts_clock_error), 1, 15, "5", RELOAD, KMSCTL,
	    "warn when the clock may be further off than this" },
	{ "alerts", "strict", KEY_YES_NO, AT(alerts_strict), 0, 1, "no", RELOAD, KMSCTL,
	    "warnings count: kmsctl doctor exits with 4 for a warning, too" },
	{ "alerts", "hourly", KEY_YES_NO, AT(alerts_hourly), 0, 1, "no", RELOAD, KMSCTL,
	    "run kmsctl doctor every hour; kmsctl apply enables kms-doctor.timer" },
	{ "publisher NAME", "key", KEY_PUBLIC_KEY, OF(key), 56, 56, "", RELOAD, ACTIVATE,
	    "the publisher's minisign public key, the line that begins with RW" },
	{ "publisher NAME", "policy", KEY_FILE, OF(policy), 0, 255, "", RELOAD, KMSCTL,
	    "policy pack that kmsctl apply installs; empty: none" },
	{ "publisher NAME", "host_key", KEY_FILE, OF(host_key), 0, 255, "", RELOAD, KMSCTL,
	    "KMS host key that kmsctl apply installs; empty: none" },
	{ "publisher NAME", "confirmation", KEY_FILE, OF(confirmation), 0, 255, "", RELOAD, KMSCTL,
	    "the publisher's confirmation of this host, which kmsctl apply installs; empty: none" },
	{ "class NAME", "pool", KEY_NAME, CL(pool), 1, 32, "", RELOAD, ACTIVATE,
	    "the pool, by its name in the publisher's policy pack" },
	{ "class NAME", "publisher", KEY_NAME, CL(publisher), 0, 64, "", RELOAD, ACTIVATE,
	    "the publisher of the pool, if two publishers have a pool of that name; empty: the only one that has it" },
	{ "class NAME", "networks", KEY_NETWORK_LIST, CL(networks), 0, CONFIG_NETWORKS, "", RELOAD, ACTIVATE,
	    "networks whose clients are of the class; empty: all" },
	{ "class NAME", "names", KEY_PATTERN_LIST, CL(names), 0, CONFIG_PATTERNS, "", RELOAD, ACTIVATE,
	    "names of hosts or users that are of the class, with * and ?; empty: all" },
	{ "class NAME", "reserve", KEY_NUMBER, CL(reserve), 0, UINT32_MAX, "0", RELOAD, ACTIVATE,
	    "seats of the pool that are kept free for the class" },
	{ "class NAME", "limit", KEY_NUMBER, CL(limit), 0, UINT32_MAX, "0", RELOAD, ACTIVATE,
	    "most seats that the class may have; 0: no limit of its own" },
	{ .section = NULL },
};
/* clang-format on */

#define RECORDS(list, counter)                                                                     \
	offsetof(struct config, list), sizeof(((struct config *)0)->list[0]),                      \
	    offsetof(struct config, counter)

static const struct config_record records[] = {
	{ "publisher NAME", "publisher", RECORDS(publishers, publisher_count), CONFIG_PUBLISHERS,
	    64 },
	{ "class NAME", "class", RECORDS(classes, class_count), CONFIG_CLASSES, 32 },
	{ .word = NULL },
};

const struct config_key *
config_schema(void)
{
	return keys;
}

const struct config_record *
config_records(void)
{
	return records;
}

const struct config_record *
config_record_of(const struct config_key *k)
{
	for (const struct config_record *d = records; d->word != NULL; d++)
		if (strcmp(k->section, d->section) == 0)
			return d;
	return NULL;
}

unsigned
config_record_count(const struct config_record *d, const struct config *c)
{
	return *(const unsigned *)((const char *)c + d->count);
}

const void *
config_record_at(const struct config_record *d, const struct config *c, unsigned i)
{
	return (const char *)c + d->list + i * d->size;
}

void *
config_record_add(const struct config_record *d, struct config *c)
{
	unsigned *count = (unsigned *)((char *)c + d->count);
	char *record = (char *)c + d->list + *count * d->size;

	if (*count == d->most)
		return NULL;
	++*count;
	return memset(record, 0, d->size);
}

bool
config_differs(const struct config_key *k, const struct config *a, const struct config *b)
{
	const struct config_record *d = config_record_of(k);

	if (d != NULL)
		return config_record_count(d, a) != config_record_count(d, b) ||
		       memcmp(config_record_at(d, a, 0), config_record_at(d, b, 0),
			   d->most * d->size) != 0;
	return memcmp((const char *)a + k->offset, (const char *)b + k->offset, k->size) != 0;
}

void
config_reload(struct config *running, const struct config *fresh)
{
	for (const struct config_key *k = keys; k->section != NULL; k++)
		if (!k->restart && config_record_of(k) == NULL)
			memcpy(
			    (char *)running + k->offset, (const char *)fresh + k->offset, k->size);
	for (const struct config_record *d = records; d->word != NULL; d++) {
		memcpy((char *)running + d->list, config_record_at(d, fresh, 0), d->most * d->size);
		memcpy(
		    (char *)running + d->count, (const char *)fresh + d->count, sizeof(unsigned));
	}
	running->marks[0] = fresh->marks[0];
}
