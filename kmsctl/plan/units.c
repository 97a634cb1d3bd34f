/*
 * units.c - systemd: drop-ins that give the units [listen] and the directories of kms.ini; units
 * that must be enabled.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/cli/input.h"
#include "kmsctl/cli/program.h"
#include "kmsctl/plan/plan.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/address.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define UNITS "/etc/systemd/system"
#define DROP_IN_MAX 8192

enum { SOCKET_DROP_IN, SERVICE_DROP_IN, ENABLED, STARTED };

static const char *const drop_ins[] = {
	[SOCKET_DROP_IN] = UNITS "/kmsd.socket.d/50-kms-ini.conf",
	[SERVICE_DROP_IN] = UNITS "/kmsd.service.d/50-kms-ini.conf",
};

static bool
default_listen(const struct config *c)
{
	return c->port == 1688 && c->address.count == 2 && address_is_nowhere(c->address.at[0]) &&
	       address_is_ipv4(c->address.at[0]) && address_is_nowhere(c->address.at[1]);
}

static void
listen_line(const uint8_t address[16], unsigned port, FILE *f)
{
	char text[ADDRESS_TEXT];

	fprintf(f, address_is_ipv4(address) ? "ListenStream=%s:%u\n" : "ListenStream=[%s]:%u\n",
	    address_text(text, address), port);
}

/* Lines of a drop-in add to those of the unit, until an empty one removes them all. */
static void
socket_text(const struct config *c, FILE *f)
{
	bool other = !default_listen(c) && c->port != 0;
	unsigned i;

	if (!other && (c->web_listen.count == 0 || c->port == 0))
		return;
	fprintf(f, "# %s of kms.ini, written by kmsctl apply.\n[Socket]\n",
	    !other                    ? "[web]"
	    : c->web_listen.count > 0 ? "[listen] and [web]"
				      : "[listen]");
	if (other)
		fprintf(f, "ListenStream=\n");
	for (i = 0; other && i < c->address.count; i++)
		listen_line(c->address.at[i], c->port, f);
	for (i = 0; i < c->web_listen.count; i++)
		listen_line(c->web_listen.at[i].address, c->web_listen.at[i].port, f);
}

/*
 * Directories that ProtectSystem=strict would make read-only; the network, for a relay, a share, or
 * a kmsd that opens its own sockets.
 */
static void
service_text(const struct config *c, bool binds, FILE *f)
{
	const char *const paths[] = {
		strcmp(c->state_directory, KMS_STATEDIR) != 0 ? c->state_directory : NULL,
		strcmp(c->runtime_directory, KMS_RUNDIR) != 0 ? c->runtime_directory : NULL,
	};
	bool relays = relay_configured(c), connects = relays || share_configured(c);
	size_t i;

	if (paths[0] == NULL && paths[1] == NULL && !connects && !binds)
		return;
	fprintf(f,
	    "# Settings that kms.ini needs and the unit does not have, written by kmsctl apply.\n");
	if (paths[0] != NULL)
		fprintf(f, "[Unit]\nRequiresMountsFor=%s\n", paths[0]);
	fprintf(f, "[Service]\n");
	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (paths[i] != NULL)
			fprintf(f, "ReadWritePaths=%s\n", paths[i]);
	if (!connects && !binds)
		return;
	/* The activation process then moves to a network namespace of its own. */
	fprintf(f,
	    "PrivateNetwork=no\nIPAddressDeny=\nRestrictAddressFamilies=AF_INET AF_INET6%s\n"
	    "CapabilityBoundingSet=CAP_SYS_ADMIN%s\nRestrictNamespaces=net\n",
	    relays ? " AF_NETLINK" : "",
	    binds && c->port > 0 && c->port < 1024 ? " CAP_NET_BIND_SERVICE" : "");
}

void
plan_enabled(const struct plan *p, const char *unit, char out[64])
{
	char root[520];
	const char *const argv[] = { "systemctl", root, "is-enabled", unit, NULL };
	struct child c;

	snprintf(root, sizeof(root), "--root=%s", p->root[0] ? p->root : "/");
	out[0] = '\0';
	if (child_run(&c, argv, NULL, p->ctl->timeout_ms) != KMS_OK)
		return;
	snprintf(out, 64, "%.*s", (int)strcspn(c.out, "\n"), c.out);
	child_free(&c);
}

/* A masked kmsd.socket means that kmsd opens its own sockets. */
static bool
socket_masked(const struct plan *p)
{
	char state[64];

	plan_enabled(p, "kmsd.socket", state);
	return strcmp(state, "masked") == 0;
}

/* What the drop-in should say, malloc'd; "": there should be none. */
static char *
wanted(const struct plan *p, int tag)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	if (tag == SOCKET_DROP_IN)
		socket_text(&p->ctl->config, f);
	else
		service_text(&p->ctl->config, socket_masked(p), f);
	return fclose(f) == 0 ? text : NULL;
}

static void
look_at_drop_in(struct plan *p, int tag, const char *why)
{
	char path[512], *text = wanted(p, tag), *have = NULL;
	struct difference *d;
	size_t len;

	if (text == NULL || !plan_path(p, path, drop_ins[tag]))
		goto out;
	if (input_read(path, DROP_IN_MAX, &have, &len) != KMS_OK)
		have = NULL;
	if (strcmp(text, have != NULL ? have : "") == 0)
		goto out;
	d = plan_add(p, tag, why, "%s", drop_ins[tag]);
	snprintf(d->is, sizeof(d->is), "%s", have == NULL ? "missing" : "does not match kms.ini");
	snprintf(d->due, sizeof(d->due),
	    text[0] == '\0' ? "removed: the unit already has these settings" : "written");
out:
	free(text);
	free(have);
}

static void
look_at_unit(struct plan *p, const char *unit, const char *why)
{
	struct difference *d;
	char state[64];

	plan_enabled(p, unit, state);
	if (strncmp(state, "enabled", 7) == 0 || strcmp(state, "static") == 0)
		return;
	d = plan_add(p, ENABLED, why, "%s", unit);
	if (strcmp(state, "disabled") == 0 || strcmp(state, "indirect") == 0) {
		snprintf(d->is, sizeof(d->is), "%s", state);
		snprintf(d->due, sizeof(d->due), "enabled");
	} else {
		d->by_hand = true;
		snprintf(d->is, sizeof(d->is), "%s", state[0] ? state : "not installed");
		snprintf(d->due, sizeof(d->due),
		    strcmp(state, "masked") == 0
			? "systemctl unmask %s"
			: "install the package kmsd, or run make install, to get %s",
		    unit);
	}
}

bool
plan_active(const struct plan *p, const char *unit)
{
	const char *const argv[] = { "systemctl", "is-active", "--quiet", unit, NULL };
	struct child c;
	bool yes;

	if (child_run(&c, argv, NULL, p->ctl->timeout_ms) != KMS_OK)
		return true; /* no systemd: it can be neither asked nor started */
	yes = c.exit == 0 || c.exit == CHILD_NOT_THERE;
	child_free(&c);
	return yes;
}

/* For units that must also be running. */
static void
look_at_running(struct plan *p, const char *unit, const char *why)
{
	struct difference *d;
	unsigned before = p->count;

	look_at_unit(p, unit, why);
	if (p->count > before || p->root[0] != '\0' || plan_active(p, unit))
		return;
	d = plan_add(p, STARTED, why, "%s", unit);
	snprintf(d->is, sizeof(d->is), "enabled, but not active");
	snprintf(d->due, sizeof(d->due), "started");
}

static int
inspect(struct plan *p, struct fault *f)
{
	const struct config *c = &p->ctl->config;

	if (!plan_systemd(p))
		return KMS_OK;
	look_at_drop_in(p, SOCKET_DROP_IN, "systemd holds the sockets of [listen]");
	look_at_drop_in(p, SERVICE_DROP_IN, "kms.ini needs settings that the unit does not have");
	if (!socket_masked(p))
		look_at_unit(p, "kmsd.socket", "clients connect to it");
	look_at_unit(p, "kmsd.service", "kmsd starts with the machine");
	look_at_running(p, "kms-firewall.service", "loads the firewall when the machine starts");
	if (c->dns_domains.count > 0)
		look_at_running(p, "kms-dns.timer", "republishes the DNS records daily");
	if (c->alerts_hourly)
		look_at_running(p, "kms-doctor.timer", "checks this host every hour");
	return KMS_OK;
}

static int
write_drop_in(const struct plan *p, int tag, const char *text)
{
	char path[512], dir[512], *slash;

	if (!plan_path(p, path, drop_ins[tag]))
		return -1;
	if (text[0] == '\0')
		return unlink(path) == 0 || errno == ENOENT ? 0 : -1;
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	for (slash = dir + strlen(p->root) + 1; (slash = strchr(slash, '/')) != NULL;
	     *slash++ = '/') {
		*slash = '\0';
		if (mkdir(dir, 0755) == -1 && errno != EEXIST)
			return -1;
	}
	if (mkdir(dir, 0755) == -1 && errno != EEXIST)
		return -1;
	return file_write(AT_FDCWD, path, text, strlen(text), 0644, true) == KMS_OK ? 0 : -1;
}

static int
mend(struct plan *p, const struct difference *d, struct fault *f)
{
	char root[520], *text;
	const char *const enable[] = { "systemctl", root, "enable", d->what, NULL };
	const char *const start[] = { "systemctl", "start", d->what, NULL };
	const char *const again[] = { "systemctl", "daemon-reload", NULL };
	int rc = KMS_OK;

	snprintf(root, sizeof(root), "--root=%s", p->root[0] ? p->root : "/");
	if (d->tag == STARTED)
		return plan_run(p, start, f);
	if (d->tag == ENABLED) {
		rc = plan_run(p, enable, f);
		if (rc == KMS_OK && p->root[0] == '\0' && strncmp(d->what, "kmsd.", 5) != 0)
			rc = plan_run(p, start, f);
		return rc;
	}
	if ((text = wanted(p, d->tag)) == NULL)
		return KMS_E_NO_MEMORY;
	if (write_drop_in(p, d->tag, text) == -1)
		rc = fault_set(f, KMS_E_IO, "%s: %s", d->what, strerror(errno));
	free(text);
	return rc == KMS_OK && p->root[0] == '\0' ? plan_run(p, again, f) : rc;
}

const struct aspect aspect_units = { .name = "units", .inspect = inspect, .mend = mend };
