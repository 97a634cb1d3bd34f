/*
 * loaded.c - asks nft: load a transaction, list our table, compare two listings.
 */
#include "kmsctl/firewall/loaded.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/program.h"
#include "kmsctl/firewall/ruleset.h"
#include "libkms/kms_error.h"

/*
 * Everything but counters and elements, then the elements of the sets without dynamic state; one
 * at a time, because nft 1.0.6 lists only one of several sets in one call.
 */
static const char *const lists[][9] = {
	{ "nft", "-s", "-t", "list", "table", "inet", "kms", NULL },
	{ "nft", "-s", "list", "set", "inet", "kms", "allow4", NULL },
	{ "nft", "-s", "list", "set", "inet", "kms", "allow6", NULL },
	{ "nft", "-s", "list", "set", "inet", "kms", "members4", NULL },
	{ "nft", "-s", "list", "set", "inet", "kms", "members6", NULL },
};
static const char *const load[] = { "nft", "-f", "-", NULL };

static int
explain(const struct child *c, int rc, struct fault *f)
{
	if (rc != KMS_OK)
		return fault_set(f, rc, "nft: %s",
		    rc == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)rc));
	if (c->exit == 0)
		return KMS_OK;
	if (c->exit == CHILD_NOT_THERE)
		return fault_set(f, KMS_E_NOT_FOUND, "nft is not installed: apt install nftables");
	if (strstr(c->err, "Operation not permitted") != NULL)
		return fault_set(f, KMS_E_DENIED,
		    "nft: only root may change the firewall's rules (CAP_NET_ADMIN)");
	return fault_set(f, KMS_E_IO, "nft: %.*s", (int)strcspn(c->err, "\n"), c->err);
}

int
loaded_load(const char *text, int timeout_ms, struct fault *f)
{
	struct child c;
	int rc = child_run(&c, load, text, timeout_ms);

	rc = explain(&c, rc, f);
	child_free(&c);
	return rc;
}

/* The listing of our table; a missing table or set is left out. */
static int
list(char **text, int timeout_ms, struct fault *f)
{
	struct child c;
	char *more;
	size_t i;
	int rc = KMS_OK;

	*text = strdup("");
	for (i = 0; i < sizeof(lists) / sizeof(*lists) && rc == KMS_OK && *text != NULL; i++) {
		rc = child_run(&c, lists[i], NULL, timeout_ms);
		if (rc == KMS_OK && c.exit != 0 && strstr(c.err, "No such file") != NULL) {
			child_free(&c);
			continue;
		}
		rc = explain(&c, rc, f);
		if (rc == KMS_OK && asprintf(&more, "%s%s", *text, c.out) < 0)
			more = NULL;
		if (rc == KMS_OK) {
			free(*text);
			*text = more;
		}
		child_free(&c);
	}
	return rc == KMS_OK && *text == NULL ? KMS_E_NO_MEMORY : rc;
}

int
loaded_there(bool *there, int timeout_ms, struct fault *f)
{
	char *text;
	int rc = list(&text, timeout_ms, f);

	*there = rc == KMS_OK && *text != '\0';
	free(text);
	return rc;
}

/* Runs in a network namespace of its own, and returns. */
static int
list_wanted(char **listing, const char *text, int timeout_ms, struct fault *f)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), e;

	*listing = NULL;
	if (home < 0 || unshare(CLONE_NEWNET) != 0) {
		e = fault_errno(f, errno, "a network namespace to compare in");
		if (home >= 0)
			close(home);
		return e;
	}
	e = loaded_load(text, timeout_ms, f);
	if (e == KMS_OK)
		e = list(listing, timeout_ms, f);
	if (setns(home, CLONE_NEWNET) != 0)
		abort(); /* anything after this would be about another network */
	close(home);
	return e;
}

static bool
has_line(const char *text, const char *line, size_t len)
{
	const char *end;

	for (; *text != '\0'; text = *end != '\0' ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		if ((size_t)(end - text) == len && memcmp(text, line, len) == 0)
			return true;
	}
	return false;
}

/* Lines of a that are not in b. */
static int
only_in(struct loaded_difference *d, const char *a, const char *b, bool loaded)
{
	struct loaded_line *more;
	size_t len, blank;

	for (; *a != '\0'; a += len + (a[len] == '\n')) {
		len = strcspn(a, "\n");
		blank = strspn(a, "\t }");
		if (blank >= len || has_line(b, a, len))
			continue;
		more = realloc(d->lines, (d->count + 1) * sizeof(*more));
		if (more == NULL)
			return KMS_E_NO_MEMORY;
		d->lines = more;
		more[d->count].loaded = loaded;
		if ((more[d->count].text = strndup(a + blank, len - blank)) == NULL)
			return KMS_E_NO_MEMORY;
		d->count++;
	}
	return KMS_OK;
}

int
loaded_compare(struct loaded_difference *d, const char *text, int timeout_ms, struct fault *f)
{
	char *there = NULL, *due = NULL;
	int rc;

	memset(d, 0, sizeof(*d));
	rc = list(&there, timeout_ms, f);
	if (rc == KMS_OK)
		rc = list_wanted(&due, text, timeout_ms, f);
	if (rc == KMS_OK)
		rc = only_in(d, *there != '\0' ? due : "table " RULESET_TABLE, there, false);
	if (rc == KMS_OK)
		rc = only_in(d, there, due, true);
	/* The same lines in another order are different rules. */
	if (rc == KMS_OK && d->count == 0 && strcmp(there, due) != 0)
		rc = only_in(d, "rules are in another order\n", "", true);
	free(there);
	free(due);
	return rc == KMS_E_NO_MEMORY ? fault_set(f, rc, "no memory") : rc;
}

bool
loaded_absent(const struct loaded_difference *d)
{
	return d->count == 1 && !d->lines[0].loaded &&
	       strcmp(d->lines[0].text, "table " RULESET_TABLE) == 0;
}

void
loaded_difference_free(struct loaded_difference *d)
{
	unsigned i;

	for (i = 0; i < d->count; i++)
		free(d->lines[i].text);
	free(d->lines);
	memset(d, 0, sizeof(*d));
}
