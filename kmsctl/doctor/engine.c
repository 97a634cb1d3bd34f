/*
 * engine.c - is etcd well, as this host reaches it? Asks each member of [share] in the way of
 * kmsd-share, without kmsd: kmsctl share check.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/share/etcd_ask.h"
#include "kmsctl/share/etcd_settings.h"
#include "kmsctl/share/own_name.h"
#include "kmsctl/share/share_place.h"
#include "libkms/kms_error.h"

#define CLOCK_NEAR 5            /* seconds: an answer takes a while */
#define CLOCK_FAR (8 * 60 * 60) /* from which on no new seats are given */
#define DATA_LARGE (3ull << 29) /* 1.5 GiB; etcd takes 2 GiB */

struct look {
	struct doctor *d;
	struct etcd_asker asker;
	struct etcd_members members;
	const struct endpoint *answers; /* one that does; NULL: none */
	unsigned healthy, voters;
};

static void
say(struct look *l, enum level level, const char *next, const struct endpoint *m, const char *text)
{
	doctor_find(l->d, m->name, level, next, "%s", text);
}

static void
look_at_clock(struct look *l, const struct endpoint *m, uint64_t theirs)
{
	int64_t apart = (int64_t)theirs - (int64_t)time(NULL);
	char text[160];

	if (theirs == 0)
		return;
	snprintf(text, sizeof(text), "its clock is %" PRId64 " seconds %s this host's",
	    apart < 0 ? -apart : apart, apart < 0 ? "behind" : "ahead of");
	if (llabs(apart) <= CLOCK_NEAR)
		say(l, GOOD, NULL, m, "its clock is this host's");
	else
		say(l, llabs(apart) >= CLOCK_FAR ? BAD : WARNING,
		    "timedatectl on both machines: correct the wrong clock", m, text);
}

static void
look_at_version(struct look *l, const struct endpoint *m)
{
	struct etcd_said said;
	const char *version;
	char text[120];

	etcd_ask(&said, &l->asker, m, "/version", NULL);
	version = json_string_value(json_object_get(said.root, "etcdserver"));
	if (said.reach == ETCD_ANSWERS && version != NULL && strlen(version) < 32) {
		snprintf(text, sizeof(text), "it runs etcd %s", version);
		say(l, etcd_version_number(version) < ETCD_VERSION_LEAST ? BAD : GOOD,
		    etcd_version_number(version) < ETCD_VERSION_LEAST
			? "install etcd 3.4 or later there"
			: NULL,
		    m, text);
	}
	etcd_said_free(&said);
}

static void
look_at_size(struct look *l, const struct endpoint *m)
{
	struct etcd_said said;
	const char *size;
	char text[120];
	unsigned long long octets;

	etcd_ask(&said, &l->asker, m, "/v3/maintenance/status", "{}");
	size = json_string_value(json_object_get(said.root, "dbSizeInUse"));
	octets = size != NULL ? strtoull(size, NULL, 10) : 0;
	if (octets > DATA_LARGE) {
		snprintf(
		    text, sizeof(text), "its data have %llu MiB, and it takes 2048", octets >> 20);
		say(l, WARNING,
		    "kmsctl share status: a host that was not heard for long keeps parcels there",
		    m, text);
	}
	etcd_said_free(&said);
}

/* The port for its peers: it answers nobody who is not one, and that shows that it is open. */
static void
look_at_peer_port(struct look *l, const struct endpoint *m)
{
	struct endpoint peer = *m;
	struct etcd_said said;

	peer.port = ETCD_PEER_PORT;
	etcd_ask(&said, &l->asker, &peer, "/version", NULL);
	if (said.reach == ETCD_NO_PORT || said.reach == ETCD_SILENT)
		say(l, WARNING, "on that machine: systemctl status etcd, and kmsctl firewall check",
		    m, "its port 2380, for the other members, does not answer");
	else if (said.reach == ETCD_NOT_TRUSTED)
		say(l, BAD, etcd_reach_next(said.reach), m, said.f.text);
	etcd_said_free(&said);
}

static void
look_at_member(struct look *l, const struct endpoint *m)
{
	struct etcd_said said;

	etcd_ask(&said, &l->asker, m, "/health", NULL);
	if (said.reach == ETCD_SAYS_NO)
		say(l, WARNING, "the other members: systemctl status etcd", m,
		    "it answers, but says that etcd has no majority or no space");
	else if (said.reach != ETCD_ANSWERS)
		say(l, WARNING, etcd_reach_next(said.reach), m, said.f.text);
	else
		say(l, GOOD, NULL, m, "it answers, with TLS both ways, and etcd is healthy");
	if (said.reach == ETCD_ANSWERS || said.reach == ETCD_SAYS_NO) {
		l->healthy += said.reach == ETCD_ANSWERS;
		l->answers = m;
		look_at_clock(l, m, said.clock);
		look_at_version(l, m);
		look_at_size(l, m);
		look_at_peer_port(l, m);
	}
	etcd_said_free(&said);
}

/* What etcd says of its members, beside what kms.ini says. */
static void
compare_members(struct look *l)
{
	const struct config_endpoints *ini = &l->d->ctl->config.share_members;
	struct config_endpoints one = { .count = 1, .at = { *l->answers } };
	const struct endpoint *used;
	struct fault f = { 0 };
	bool own;

	if (etcd_members_ask(&l->members, &l->asker, &one, &used, &f) != KMS_OK) {
		doctor_find(l->d, "members", BAD, "journalctl -u etcd", "%s", f.text);
		return;
	}
	for (unsigned i = 0; i < l->members.count; i++) {
		const struct etcd_member *m = &l->members.at[i];

		l->voters += !m->learner;
		if (m->learner)
			doctor_find(l->d, m->host, WARNING,
			    "the same kmsctl share join again, there",
			    "it has not finished joining, and has no vote");
		if (!share_members_have(ini, m->host))
			doctor_find(l->d, m->host, WARNING, "kmsctl apply",
			    "it is a member of etcd, and not in [share] members of kms.ini");
	}
	for (unsigned i = 0; i < ini->count; i++) {
		if (etcd_members_find(&l->members, ini->at[i].name) != NULL)
			continue;
		(void)share_host_look_up(ini->at[i].name, &own, &f);
		doctor_find(l->d, ini->at[i].name, own ? BAD : WARNING,
		    own ? "kmsctl share invite for this host on another one, then kmsctl share join here"
			: "remove it from [share] members, if it will not join",
		    "it is no member of etcd: it was removed, or has not joined yet");
	}
}

static void
look_at_alarms(struct look *l)
{
	struct etcd_said said;
	const json_t *list;

	etcd_ask(&said, &l->asker, l->answers, "/v3/maintenance/alarm", "{\"action\":\"GET\"}");
	list = json_object_get(said.root, "alarms");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *alarm =
		    json_string_value(json_object_get(json_array_get(list, i), "alarm"));
		bool space = alarm != NULL && strcmp(alarm, "NOSPACE") == 0;

		doctor_find(l->d, "alarm", BAD,
		    space
			? "free disk space on the members, then etcdctl alarm disarm"
			: "journalctl -u etcd on each member: remove the damaged one, and join it again",
		    space ? "etcd has no space left, and takes no batches"
			  : "the data of a member of etcd are damaged");
	}
	etcd_said_free(&said);
}

void
doctor_engine(struct doctor *d)
{
	const struct config *c = &d->ctl->config;
	const char *slash = strrchr(c->share_authority, '/');
	char directory[256];
	struct look l = { .d = d,
		.asker = { .directory = directory,
		    .timeout_ms = d->ctl->timeout_ms < 4000 ? d->ctl->timeout_ms : 4000 } };

	snprintf(directory, sizeof(directory), "%.*s",
	    slash == NULL ? 0 : (int)(slash - c->share_authority), c->share_authority);
	for (unsigned i = 0; i < c->share_members.count; i++)
		look_at_member(&l, &c->share_members.at[i]);
	if (l.answers != NULL) {
		compare_members(&l);
		look_at_alarms(&l);
	}
	if (l.healthy == 0)
		doctor_find(d, "majority", BAD, "start etcd on more of the members",
		    "no member has a majority: this host is alone");
	else if (l.voters == 2)
		doctor_find(d, "majority", WARNING,
		    "a third member: kmsctl share init --witness, or kmsctl share invite --etcd-only HOST",
		    "there are two members, so that neither may fail");
	else
		doctor_find(d, "majority", GOOD, NULL, "%u of %u members have a majority",
		    l.healthy, l.voters);
}
