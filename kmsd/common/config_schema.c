/*
 * config_schema.c - the one table of kms.ini's sections and keys. The parser, the defaults, the
 * printer, kmsctl's completion and the check of the man page all read it; so a new key is one line
 * here and a field in config.h.
 */
#include "kmsd/common/config_internal.h"

/*
 * K(section, key, field, type, range, default, restart, meaning). Ranges are read by the parser:
 * "lo..hi" for numbers, with K M G for bytes, and the greatest length for text.
 */
/* clang-format off */
/* RFC 1918, RFC 3927, RFC 4193 and link-local. */
#define ALLOW "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fc00::/7 fe80::/10"
#define KEYS(K) \
	K("kms", "state_directory", state_directory, "directory", "1..255", KMS_STATEDIR, true, \
	    "where the ledger, keys and policies are kept") \
	K("kms", "runtime_directory", runtime_directory, "directory", "1..90", KMS_RUNDIR, true, \
	    "where the control socket, the process id and the port are written") \
	K("kms", "activate_user", activate_user, "user", "1..32", "_kms", true, \
	    "user that runs the activation process when kmsd is started by root") \
	K("kms", "front_user", front_user, "user", "1..32", "_kmsnet", true, \
	    "user that runs the network processes when kmsd is started by root") \
	K("kms", "control_group", control_group, "group", "0..32", "", true, \
	    "group whose members may use kmsctl; empty: only root and the daemon's own user") \
	K("kms", "libexec_directory", libexec_directory, "directory", "1..255", KMS_LIBEXECDIR, true, \
	    "where kmsd-front and kmsd-activate are installed") \
	K("keys", "passphrase_credential", passphrase_credential, "credential", "0..64", "", true, \
	    "systemd credential that holds the passphrase of the host's keys; empty: none") \
	K("keys", "passphrase_file", passphrase_file, "file", "0..255", "", true, \
	    "file whose first line is the passphrase of the host's keys; empty: none") \
	K("keys", "machine_file", machine_file, "file", "0..255", "", true, \
	    "file, outside the state directory, to which the host's keys can be bound; created if absent") \
	K("listen", "address", address, "addresses", "1..8", "0.0.0.0 ::", true, \
	    "IPv4 and IPv6 addresses to listen on, separated by blanks") \
	K("listen", "port", port, "port", "0..65535", "1688", true, \
	    "TCP port; 0 lets the system choose and writes it to runtime_directory/port") \
	K("listen", "fronts", fronts, "number", "1..32", "2", true, \
	    "how many network processes share the port") \
	K("limits", "connections", connections, "number", "1..1000000", "20000", false, \
	    "most open connections of one network process") \
	K("limits", "idle_timeout", idle_timeout, "seconds", "1..86400", "300", false, \
	    "a connection without a request for this long is closed") \
	K("limits", "first_timeout", first_timeout, "seconds", "1..3600", "10", false, \
	    "a new connection that sends nothing for this long is closed") \
	K("limits", "frame_timeout", frame_timeout, "seconds", "1..3600", "10", false, \
	    "a frame must be complete within this time") \
	K("limits", "connections_per_source", connections_per_source, "number", "0..1000000", "0", false, \
	    "most open connections from one address to one network process; 0: no limit") \
	K("limits", "credits", credits, "number", "1..65536", "1024", true, \
	    "most requests of one network process that wait for an answer") \
	K("ledger", "segment_size", segment_size, "octets", "1M..4G", "64M", true, \
	    "size of one journal file") \
	K("ledger", "overlay_records", overlay_records, "number", "1000..10000000", "150000", true, \
	    "most changed clients kept in memory until they are written to the index") \
	K("ledger", "map_size", map_size, "octets", "1M..1024G", "1G", true, \
	    "size of the index's memory map at the start; it grows by itself") \
	K("ledger", "checkpoint_interval", checkpoint_interval, "seconds", "1..86400", "60", true, \
	    "how often the index is written") \
	K("ledger", "batch", batch, "number", "1..65536", "1024", true, \
	    "most requests that share one signature and one write") \
	K("ledger", "session_cache", session_cache, "number", "0..10000000", "20000", true, \
	    "most session keys kept in locked memory") \
	K("sandbox", "required", sandbox_required, "yes/no", "yes or no", "yes", true, \
	    "refuse to start when a layer of the sandbox cannot be applied") \
	K("sandbox", "allow_missing", allow_missing, "layers", "0..127", "", true, \
	    "layers that may be missing: no-new-privs uid chroot netns landlock seccomp rlimits no-core") \
	K("relay", "upstream", relay_upstream, "upstreams", "0..191", "", true, \
	    "KMS hosts for Windows clients, host[:port][/priority[/weight]], separated by blanks") \
	K("relay", "domain", relay_domain, "relay domain", "0..191", "", true, \
	    "domain whose SRV records _vlmcs._tcp name more KMS hosts") \
	K("relay", "nameserver", relay_nameserver, "relay server", "0..63", "", true, \
	    "name server that resolves the KMS hosts, address[:port]; empty: the system's name servers") \
	K("relay", "ports", relay_ports, "relay ports", "0..63", "1688", true, \
	    "ports that hosts found in DNS may use; the network processes can connect to no others") \
	K("relay", "allow", relay_allow, "relay networks", "0..191", \
	    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 127.0.0.0/8 fc00::/7 fe80::/10 ::1/128", \
	    false, "networks whose clients are relayed") \
	K("relay", "connect_timeout", relay_connect_timeout, "seconds", "1..60", "3", false, \
	    "after this long without an answer to a bind, the next host is tried") \
	K("relay", "answer_timeout", relay_answer_timeout, "seconds", "1..300", "10", false, \
	    "no client waits longer than this for an answer or a refusal") \
	K("relay", "idle_timeout", relay_idle_timeout, "seconds", "1..86400", "60", false, \
	    "a relayed connection without a request for this long is closed") \
	K("relay", "connections_per_source", relay_per_source, "number", "0..1000000", "64", false, \
	    "most relayed connections from one address to one network process; 0: no limit") \
	K("relay", "backoff", relay_backoff, "seconds", "1..300", "2", false, \
	    "a host that failed is not used for this long; each further failure doubles the time, up to 5 minutes") \
	K("relay", "resolve_interval", relay_resolve_interval, "seconds", "5..86400", "300", false, \
	    "how often names are resolved again") \
	K("log", "level", log_level, "level", "error, warning, notice, info or debug", "info", false, \
	    "the least important level that is written") \
	K("log", "target", log_syslog, "target", "stderr or syslog", "stderr", true, \
	    "where log lines go; journald reads stderr") \
	K("dns", "domains", dns_domain, "domains", "0..8", "", false, \
	    "domains in which clients look for this host; empty: the host's own") \
	K("dns", "host", dns_host, "host name", "0..253", "", false, \
	    "the name that the records point to; empty: this machine's full name") \
	K("dns", "addresses", dns_address, "host addresses", "0..8", "", false, \
	    "A and AAAA records to publish for the host; empty: none") \
	K("dns", "ttl", dns_ttl, "seconds", "30..604800", "3600", false, \
	    "how long resolvers may keep the records (TTL)") \
	K("dns", "priority", dns_priority, "number", "0..65535", "0", false, \
	    "this host's priority; clients try hosts with a lower number first") \
	K("dns", "weight", dns_weight, "number", "0..65535", "0", false, \
	    "this host's share among hosts of the same priority") \
	K("dns", "server", dns_server, "name server", "0..255", "", false, \
	    "where updates are sent; empty: the zone's primary name server, from its SOA record") \
	K("dns", "tsig_key_file", tsig_key_file, "file", "0..255", "", false, \
	    "file with the TSIG key that signs updates, in the format of nsupdate -k; empty: none") \
	K("dns", "gss_tsig", gss_tsig, "yes/no", "yes or no", "no", false, \
	    "sign updates with Kerberos, as Active Directory requires") \
	K("dns", "keytab", keytab, "file", "0..255", "", false, \
	    "Kerberos keytab for the ticket of gss_tsig; empty: the credential cache") \
	K("dns", "principal", principal, "principal", "0..255", "", false, \
	    "principal whose key in the keytab is used; empty: the first one") \
	K("dns", "publish_vlmcs", publish_vlmcs, "yes/no", "yes or no", "no", false, \
	    "also publish _vlmcs._tcp, when this host relays") \
	K("firewall", "allow", allow, "networks", "1..32", ALLOW, false, \
	    "networks whose machines may connect") \
	K("firewall", "rate", firewall_rate, "number", "0..100000", "600", false, \
	    "most new connections from one address in a minute; 0: no limit") \
	K("firewall", "interface", firewall_interface, "interface", "0..15", "", false, \
	    "the only network interface, beside lo, on which clients may connect; empty: all")

#define PUBLISHER_KEYS(K) \
	K("publisher NAME", "key", key, "public key", "56..56", "", false, \
	    "the publisher's minisign public key, the line that begins with RW") \
	K("publisher NAME", "policy", policy, "file", "0..255", "", false, \
	    "policy pack that kmsctl apply installs; empty: none") \
	K("publisher NAME", "host_key", host_key, "file", "0..255", "", false, \
	    "KMS host key that kmsctl apply installs; empty: none") \
	K("publisher NAME", "confirmation", confirmation, "file", "0..255", "", false, \
	    "the publisher's confirmation of this host, which kmsctl apply installs; empty: none")
/* clang-format on */

#define ROW(section, key, field, type, range, def, restart, meaning)                               \
	{ section, key, type, range, def, restart, meaning },

static const struct config_key keys[] = { KEYS(ROW) PUBLISHER_KEYS(ROW){ .section = NULL } };

#define SLOT(section, key, field, type, range, def, restart, meaning)                              \
	{ offsetof(struct config, field), sizeof(((struct config *)0)->field) },
#define PUBLISHER_SLOT(section, key, field, type, range, def, restart, meaning)                    \
	{ offsetof(struct config_publisher, field), sizeof(((struct config_publisher *)0)->field) },

const struct config_slot config_slots[] = { KEYS(SLOT) PUBLISHER_KEYS(PUBLISHER_SLOT){ 0, 0 } };

const struct config_key *
config_schema(void)
{
	return keys;
}
