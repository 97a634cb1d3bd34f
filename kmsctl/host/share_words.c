/*
 * share_words.c - see share_words.h.
 */
#include "kmsctl/host/share_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LATE (10 * 60) /* seconds without a beat, one of which comes every 5 s */

#define AGREE "kmsctl share status on the other hosts: this host must not run twice"

/* What the engine has in the place of this host's batches, when it keeps the host from serving. */
static const struct {
	const char *place, *text, *next;
} places[] = {
	{ "ahead",
	    "etcd has batches of this host that its ledger lacks: an older backup was restored",
	    "stop kmsd, restore the newest backup of this host, then start it" },
	{ "other",
	    "etcd has other batches of this host than its ledger: it runs twice, or an older backup was restored",
	    AGREE },
	{ "junk", "what etcd has in the place of this host's batches is damaged",
	    "kmsctl share check, then journalctl -u etcd" },
};

static const struct {
	const char *state, *text, *next;
	bool bad, warn;
} states[] = {
	{ "waiting", "waits until etcd answers, and gives no leases", "kmsctl share check", true,
	    false },
	{ "joining", "waits until the other hosts have heard of it, and gives no leases",
	    "wait a minute, then kmsctl share status", false, true },
	{ "together", "counts together with the other hosts", NULL, false, false },
	{ "alone", "is alone: etcd does not answer", "kmsctl share check", false, true },
	{ "stopped", "has stopped, and gives no leases", "kmsctl share status", true, false },
};

void
share_words(struct share_words *w, const struct reply_row *row)
{
	const char *state = reply_text(row, "state"), *place = reply_text(row, "place");
	uint64_t serves = 0, seats = 0, since = 0;
	char when[OUTPUT_WHEN];
	size_t i, p;

	memset(w, 0, sizeof(*w));
	reply_number(row, "serves", &serves);
	reply_number(row, "new-seats", &seats);
	reply_number(row, "since", &since);
	for (i = 0; i < sizeof(states) / sizeof(states[0]) &&
		    (state == NULL || strcmp(state, states[i].state) != 0);
	     i++)
		;
	if (i == sizeof(states) / sizeof(states[0])) {
		snprintf(w->text, sizeof(w->text),
		    "this host is in a state that this kmsctl does not know");
		w->next = "install kmsctl of the same version as kmsd";
		w->warn = true;
		return;
	}
	w->bad = states[i].bad || (!serves && strcmp(state, "joining") != 0);
	w->warn = states[i].warn;
	w->next = states[i].next;
	for (p = 0; p < sizeof(places) / sizeof(places[0]) &&
		    (place == NULL || strcmp(place, places[p].place) != 0);
	     p++)
		;
	if (strcmp(state, "stopped") == 0 && p < sizeof(places) / sizeof(places[0]))
		w->next = places[p].next;
	snprintf(w->text, sizeof(w->text), "this host %s, since %s%s%s%s%s", states[i].text,
	    output_when(when, since),
	    strcmp(state, "stopped") == 0 && p < sizeof(places) / sizeof(places[0]) ? ": " : "",
	    strcmp(state, "stopped") == 0 && p < sizeof(places) / sizeof(places[0]) ? places[p].text
										    : "",
	    strcmp(state, "alone") == 0 && !serves ? "; it gives no leases" : "",
	    strcmp(state, "alone") == 0 && serves && !seats ? "; it renews, and gives no new seats"
							    : "");
}

static const struct {
	const char *state, *text, *next;
} members[] = {
	{ "not-heard", "was not heard since kmsd started here",
	    "kmsctl share status on that host" },
	{ "other-share", "is in a share of another name",
	    "kmsctl config check on that host: [share] name" },
	{ "no-certificate", "has no confirmation of a publisher that this host knows",
	    "kmsctl key show on that host, and on this one" },
	{ "other-customer", "has a host key of another customer",
	    "kmsctl key show on that host, and on this one" },
	{ "went-back", "went back to an older state", AGREE },
	{ "forked", "has two histories", AGREE },
	{ "ledger", "cannot be written to this host's ledger",
	    "kmsctl doctor, then journalctl -u kmsd" },
};

enum share_member_state
share_member_words(char text[SHARE_WORDS_TEXT], const char **next, const struct reply_row *row)
{
	const char *state = reply_text(row, "state"), *name = reply_text(row, "name");
	const char *id = reply_text(row, "host-id");
	uint64_t age = 0, head = 0, here = 0;
	size_t i;

	if (name == NULL || name[0] == '\0')
		name = id != NULL ? id : "?";
	reply_number(row, "age", &age);
	reply_number(row, "head", &head);
	reply_number(row, "heard-here", &here);
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (state != NULL && strcmp(state, members[i].state) == 0) {
			snprintf(text, SHARE_WORDS_TEXT, "%s %s%s", name, members[i].text,
			    i == 0 ? "" : ", so its clients are not counted here from now on");
			*next = members[i].next;
			return i == 0 ? SHARE_MEMBER_LATE : SHARE_MEMBER_APART;
		}
	if (age > LATE) {
		snprintf(text, SHARE_WORDS_TEXT, "%s was last heard %" PRIu64 " minutes ago", name,
		    age / 60);
		*next = "kmsctl share status on that host";
		return SHARE_MEMBER_LATE;
	}
	snprintf(text, SHARE_WORDS_TEXT, "%s is heard up to batch %" PRIu64 " of %" PRIu64, name,
	    here, head > here ? head : here);
	*next = NULL;
	return SHARE_MEMBER_WELL;
}
