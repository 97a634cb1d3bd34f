/*
 * etcd_ask.c - see etcd_ask.h.
 */
#include "kmsctl/share/etcd_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "kmsctl/cli/program.h"
#include "kmsctl/share/etcd_settings.h"
#include "kmsctl/share/share_place.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define MEMBER_NAME_OK "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:_-"

/* -- one question -- */

static const struct {
	int status;
	const char *what, *next;
} reaches[] = {
	[ETCD_ANSWERS] = { KMS_OK, NULL, NULL },
	[ETCD_NO_PROGRAM] = { KMS_E_NOT_FOUND, "curl is not installed", "apt install curl" },
	[ETCD_NO_NAME] = { KMS_E_NO_HOST, "this name has no address",
	    "enter the name in DNS, or in /etc/hosts on each host" },
	[ETCD_NO_PORT] = { KMS_E_NO_HOST, "nobody answers at its port",
	    "systemctl status etcd on that machine" },
	[ETCD_SILENT] = { KMS_E_TIMEOUT, "no answer in time",
	    "on that machine: systemctl status etcd, and kmsctl firewall check" },
	[ETCD_NOT_TRUSTED] = { KMS_E_SIGNATURE, "its certificate is not valid in this share",
	    "kmsctl share invite for that host, then kmsctl share join there" },
	[ETCD_REFUSES] = { KMS_E_DENIED, "it refuses the certificate of this host",
	    "kmsctl share invite for this host, then kmsctl share join here" },
	[ETCD_SAYS_NO] = { KMS_E_NO_HOST, "it answers with an error",
	    "journalctl -u etcd on that machine" },
	[ETCD_NONSENSE] = { KMS_E_FORMAT, "what answers is no etcd of this share",
	    "journalctl -u etcd on that machine" },
};

const char *
etcd_reach_next(enum etcd_reach reach)
{
	return reaches[reach].next;
}

/* Exit codes of curl(1). With TLS 1.3 a member refuses when the client has finished already. */
static enum etcd_reach
of_exit(int code, const char *said)
{
	switch (code) {
	case CHILD_NOT_THERE:
		return ETCD_NO_PROGRAM;
	case 6:
		return ETCD_NO_NAME;
	case 7:
		return ETCD_NO_PORT;
	case 28:
		return ETCD_SILENT;
	case 51:
	case 60:
		return ETCD_NOT_TRUSTED;
	default:
		return strstr(said, " alert ") != NULL ? ETCD_REFUSES : ETCD_NONSENSE;
	}
}

/* "Tue, 01 Dec 2026 15:31:07 GMT" */
static uint64_t
http_date(const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm t = { 0 };
	char month[4] = "";
	const char *found;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d", &t.tm_mday, month,
		&t.tm_year, &t.tm_hour, &t.tm_min, &t.tm_sec) != 6 ||
	    strlen(month) != 3 || (found = strstr(months, month)) == NULL)
		return 0;
	t.tm_mon = (int)(found - months) / 3;
	t.tm_year -= 1900;
	return (uint64_t)timegm(&t);
}

static void
failed(struct etcd_said *out, enum etcd_reach reach, const struct endpoint *m, const char *said)
{
	size_t n = strcspn(said, "\n");

	out->reach = reach;
	fault_set(&out->f, reaches[reach].status, "member %s: %s%s%.*s%s", m->name,
	    reaches[reach].what, n > 0 ? " (" : "", (int)(n < 200 ? n : 200), said,
	    n > 0 ? ")" : "");
}

/* The body, then a line of curl's own: the status and the time of the member. */
static void
take(struct etcd_said *out, const struct endpoint *m, char *text)
{
	char *last = strrchr(text, '\n');
	long http = 0;
	const json_t *error;

	if (last != NULL) {
		*last = '\0';
		http = strtol(last + 1, &last, 10);
		out->clock = http_date(last + strspn(last, " "));
	}
	out->root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (http == 200 && json_is_object(out->root))
		return;
	error = json_object_get(out->root, "error");
	failed(out, json_is_object(out->root) ? ETCD_SAYS_NO : ETCD_NONSENSE, m,
	    json_is_string(error) ? json_string_value(error) : "");
}

void
etcd_ask(struct etcd_said *out, const struct etcd_asker *a, const struct endpoint *member,
    const char *path, const char *body)
{
	char authority[256], certificate[256], key[256], base[288], url[512], seconds[16];
	const char *argv[] = { "curl", "-q", "-sS", "--noproxy", "*", "--proto", "=https",
		"--connect-timeout", "3", "--max-time", seconds, "--max-filesize", "262144",
		"--cacert", authority, "--capath", "/dev/null", "--cert", certificate, "--key", key,
		"--write-out", "\n%{http_code} %header{date}", url, body != NULL ? "--data" : NULL,
		body, NULL };
	struct child c;
	int rc;

	memset(out, 0, sizeof(*out));
	share_path(authority, a->directory, SHARE_AUTHORITY);
	share_path(certificate, a->directory, SHARE_HOST);
	share_path(key, a->directory, SHARE_HOST_KEY);
	snprintf(seconds, sizeof(seconds), "%d", a->timeout_ms < 2000 ? 2 : a->timeout_ms / 1000);
	snprintf(url, sizeof(url), "%s%s", etcd_url(base, member->name, member->port), path);
	rc = child_run(&c, argv, NULL, a->timeout_ms + 2000);
	if (rc != KMS_OK) {
		failed(out, ETCD_SILENT, member, "");
		return;
	}
	if (c.exit == 0)
		take(out, member, c.out);
	else
		failed(out, of_exit(c.exit, c.err), member,
		    strncmp(c.err, "curl: ", 6) == 0 ? c.err + 6 : "");
	child_free(&c);
}

void
etcd_said_free(struct etcd_said *s)
{
	json_decref(s->root);
	s->root = NULL;
}

/* -- the members -- */

/* "https://kms1.example.org:2380" */
static bool
read_url(struct etcd_member *m, const char *url)
{
	struct endpoint e;

	if (url == NULL || strncmp(url, "https://", 8) != 0 ||
	    !endpoint_parse(&e, url + 8, ETCD_PEER_PORT) || strlen(e.name) >= sizeof(m->host))
		return false;
	snprintf(m->host, sizeof(m->host), "%s", e.name);
	m->port = e.port;
	return true;
}

static bool
read_member(struct etcd_member *m, const json_t *row)
{
	const char *id = json_string_value(json_object_get(row, "ID"));
	const char *name = json_string_value(json_object_get(row, "name"));
	const json_t *urls = json_object_get(row, "peerURLs");

	if (name == NULL)
		name = "";
	if (id == NULL || strlen(id) >= sizeof(m->id) || id[strspn(id, "0123456789")] != '\0' ||
	    strlen(name) >= sizeof(m->name) || name[strspn(name, MEMBER_NAME_OK)] != '\0')
		return false;
	snprintf(m->id, sizeof(m->id), "%s", id);
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->learner = json_is_true(json_object_get(row, "isLearner"));
	return read_url(m, json_string_value(json_array_get(urls, 0)));
}

int
etcd_members_read(struct etcd_members *out, const json_t *root, struct fault *f)
{
	const json_t *list = json_object_get(root, "members");
	size_t count = json_array_size(list);

	out->count = 0;
	if (count == 0 || count > ETCD_MEMBERS)
		return fault_set(f, KMS_E_FORMAT, "etcd lists no members, or too many");
	for (size_t i = 0; i < count; i++)
		if (!read_member(&out->at[out->count++], json_array_get(list, i)))
			return fault_set(f, KMS_E_FORMAT,
			    "etcd has a member that kmsctl share did not make: remove it, see etcdctl member list");
	return KMS_OK;
}

const struct etcd_member *
etcd_members_find(const struct etcd_members *m, const char *host)
{
	for (unsigned i = 0; i < m->count; i++)
		if (strcasecmp(m->at[i].host, host) == 0)
			return &m->at[i];
	return NULL;
}

int
etcd_members_ask(struct etcd_members *out, const struct etcd_asker *a,
    const struct config_endpoints *members, const struct endpoint **used, struct fault *f)
{
	for (unsigned i = 0; i < members->count; i++) {
		struct etcd_said said;
		int rc;

		etcd_ask(&said, a, &members->at[i], "/v3/cluster/member/list", "{}");
		rc = said.reach == ETCD_ANSWERS ? etcd_members_read(out, said.root, f)
						: fault_set(f, said.f.status, "%s; %s", said.f.text,
						      reaches[said.reach].next);
		etcd_said_free(&said);
		if (rc == KMS_OK) {
			*used = &members->at[i];
			*f = (struct fault){ 0 };
			return KMS_OK;
		}
	}
	return f->status;
}

char *
etcd_members_cluster(const struct etcd_members *m)
{
	char url[288], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	for (unsigned i = 0; i < m->count; i++) {
		const struct etcd_member *at = &m->at[i];

		fprintf(f, "%s%s=%s", i > 0 ? "," : "", at->name[0] ? at->name : at->host,
		    etcd_url(url, at->host, at->port));
	}
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

#define SETTLE_MS 20000

/* etcd takes no new member while one has been connected for less than five seconds. */
static void
ask_when_settled(struct etcd_said *out, const struct etcd_asker *a, const struct endpoint *m,
    const char *path, const char *body)
{
	const struct timespec moment = { .tv_nsec = 500000000 };
	int64_t until = clock_ms() + SETTLE_MS;

	for (;;) {
		etcd_ask(out, a, m, path, body);
		if (out->reach != ETCD_SAYS_NO || strstr(out->f.text, "unhealthy") == NULL ||
		    clock_ms() >= until)
			return;
		etcd_said_free(out);
		nanosleep(&moment, NULL);
	}
}

int
etcd_member_add(struct etcd_members *out, const struct etcd_asker *a,
    const struct endpoint *through, const char *host, struct fault *f)
{
	char url[288], body[400];
	struct etcd_said said;
	int rc;

	snprintf(body, sizeof(body), "{\"peerURLs\":[\"%s\"],\"isLearner\":true}",
	    etcd_url(url, host, ETCD_PEER_PORT));
	ask_when_settled(&said, a, through, "/v3/cluster/member/add", body);
	if (said.reach == ETCD_ANSWERS)
		rc = etcd_members_read(out, said.root, f);
	else if (strstr(said.f.text, "too many learner") != NULL)
		rc = fault_set(f, KMS_E_LIMIT,
		    "another machine is joining this share: wait until it has, then run this again");
	else
		rc = fault_set(f, said.f.status, "%s: %s", said.f.text,
		    "no member was added: is a majority of the members running? kmsctl share check there");
	etcd_said_free(&said);
	return rc;
}

int
etcd_member_promote(
    const struct etcd_asker *a, const struct endpoint *through, const char *id, struct fault *f)
{
	struct etcd_said said;
	char body[64];
	int rc = KMS_OK;

	snprintf(body, sizeof(body), "{\"ID\":\"%s\"}", id);
	etcd_ask(&said, a, through, "/v3/cluster/member/promote", body);
	if (said.reach == ETCD_SAYS_NO && strstr(said.f.text, "in sync") != NULL)
		rc = fault_set(f, KMS_E_PENDING, "%s", said.f.text);
	else if (said.reach != ETCD_ANSWERS)
		rc = fault_set(f, said.f.status, "%s", said.f.text);
	etcd_said_free(&said);
	return rc;
}

/* -- versions -- */

unsigned
etcd_version_number(const char *text)
{
	unsigned major, minor;

	return text != NULL && sscanf(text, "%3u.%3u", &major, &minor) == 2 ? major * 1000 + minor
									    : 0;
}

int
etcd_version_here(char text[32], struct fault *f)
{
	static const char *const argv[] = { "etcd", "--version", NULL };
	struct child c;
	int rc = child_run(&c, argv, NULL, 10000);

	if (rc != KMS_OK)
		return fault_set(f, rc, "etcd: %s", kms_strerror((uint32_t)rc));
	if (c.exit == CHILD_NOT_THERE)
		rc =
		    fault_set(f, KMS_E_NOT_FOUND, "etcd is not installed: apt install etcd-server");
	else if (c.exit != 0 || sscanf(c.out, "etcd Version: %31s", text) != 1)
		rc = fault_set(f, KMS_E_FORMAT, "etcd --version does not say its version");
	else if (etcd_version_number(text) < ETCD_VERSION_LEAST)
		rc = fault_set(
		    f, KMS_E_SCHEMA, "etcd %s is too old: a share needs etcd 3.4 or later", text);
	child_free(&c);
	return rc;
}
