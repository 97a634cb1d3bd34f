/*
 * control_answer.c - see control_answer.h.
 */
#include "kmsd/activate/control/control_answer.h"

#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/control.h"

/*
 * One row for each verb. A verb that changes something is logged with the user's number; a verb
 * that shows statistics asks the fronts first.
 */
static const struct verb {
	enum control_verb verb;
	const char *name;
	bool changes, figures;
	enum control_right least;
	int (*run)(struct control_request *q);
} verbs[] = {
	{ CONTROL_STATUS, "status", false, true, CONTROL_PAGE, control_status },
	{ CONTROL_METRICS, "metrics", false, false, CONTROL_PAGE, control_metrics },
	{ CONTROL_WEB_LOGIN, "web login", true, false, CONTROL_LOOK, control_web_login },
	{ CONTROL_WEB_LOGOUT, "web logout", true, false, CONTROL_LOOK, control_web_logout },
	{ CONTROL_WEB_SESSION, "web session", false, false, CONTROL_PAGE, control_web_session },
	{ CONTROL_CLIENT_FIND, "client find", false, false, CONTROL_PAGE, control_client_find },
	{ CONTROL_CHECKPOINT, "checkpoint", false, false, CONTROL_LOOK, control_checkpoint },
	{ CONTROL_KEY_INSTALL, "key install", true, false, CONTROL_CHANGE, control_key_install },
	{ CONTROL_KEY_SHOW, "key show", false, false, CONTROL_PAGE, control_key_show },
	{ CONTROL_KEY_REQUEST, "key request", true, false, CONTROL_CHANGE, control_key_request },
	{ CONTROL_KEY_CONFIRM, "key confirm", true, false, CONTROL_CHANGE, control_key_confirm },
	{ CONTROL_KEY_REMOVE, "key remove", true, false, CONTROL_CHANGE, control_key_remove },
	{ CONTROL_KEY_SEAL, "key seal", true, false, CONTROL_CHANGE, control_key_seal },
	{ CONTROL_UNLOCK, "unlock", true, false, CONTROL_CHANGE, control_unlock },
	{ CONTROL_POLICY_INSTALL, "policy install", true, false, CONTROL_CHANGE,
	    control_policy_install },
	{ CONTROL_POLICY_SHOW, "policy show", false, false, CONTROL_PAGE, control_policy_show },
	{ CONTROL_CLIENT_SHOW, "client show", false, false, CONTROL_LOOK, control_client_show },
	{ CONTROL_CLIENT_LIST, "client list", false, false, CONTROL_LOOK, control_client_list },
	{ CONTROL_JOURNAL, "journal", false, false, CONTROL_LOOK, control_journal },
	{ CONTROL_USAGE, "usage", false, false, CONTROL_PAGE, control_usage },
	{ CONTROL_CLIENT_REVOKE, "client revoke", true, false, CONTROL_CHANGE,
	    control_client_revoke },
	{ CONTROL_PUBLISHER_ROTATE, "publisher rotate", true, false, CONTROL_CHANGE,
	    control_publisher_rotate },
	{ CONTROL_REVOCATIONS_INSTALL, "revocations install", true, false, CONTROL_CHANGE,
	    control_revocations_install },
	{ CONTROL_RELAY_NAME, "relay name", false, false, CONTROL_CHANGE, control_relay_name },
	{ CONTROL_RELAY_STATUS, "relay status", false, false, CONTROL_PAGE, control_relay_status },
	{ CONTROL_SHARE_STATUS, "share status", false, false, CONTROL_PAGE, control_share_status },
	{ CONTROL_SHARE_ALONE, "share alone", true, false, CONTROL_CHANGE, control_share_alone },
	{ CONTROL_SHARE_FIRST, "share first", true, false, CONTROL_CHANGE, control_share_first },
	{ CONTROL_CLIENT_UNREVOKE, "client unrevoke", true, false, CONTROL_CHANGE,
	    control_client_unrevoke },
	{ CONTROL_CLIENT_FORGET, "client forget", true, false, CONTROL_CHANGE,
	    control_client_forget },
	{ CONTROL_CLIENT_ERASE, "client erase", true, false, CONTROL_CHANGE, control_client_erase },
};

static const struct verb *
find(uint16_t verb)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].verb == verb)
			return &verbs[i];
	}
	return NULL;
}

bool
control_may(enum control_right access, uint16_t verb)
{
	const struct verb *v = find(verb);

	return v != NULL && access >= v->least;
}

bool
control_wants_figures(uint16_t verb)
{
	const struct verb *v = find(verb);

	return v != NULL && v->figures;
}

/* A locked host has no keys, but it can say that it is locked. */
static bool
needs_keys(uint16_t verb)
{
	return verb != CONTROL_STATUS && verb != CONTROL_METRICS && verb != CONTROL_UNLOCK;
}

static int
run_verb(struct control_request *q, const struct control_asker *by, uint16_t verb)
{
	const struct verb *v = find(verb);
	int rc;

	if (v == NULL) {
		strcpy(q->why, "this kmsd does not know the command: kmsctl has another version");
		return KMS_E_ARGUMENT;
	}
	if (by->access < v->least) {
		strcpy(q->why,
		    "members of [kms] monitor_group may only use commands that show something: run this as root or as a member of control_group");
		return KMS_E_DENIED;
	}
	activate_clock(q->activate);
	if (host_identity_locked(q->activate->key) && needs_keys(verb)) {
		strcpy(q->why, "the host is locked: kmsctl unlock first");
		return KMS_E_LOCKED;
	}
	rc = v->run(q);
	if (v->changes)
		log_event(rc == KMS_OK ? LOG_NOTICE : LOG_WARNING, "control",
		    "%s by uid %ld: %s%s%s", v->name, by->uid,
		    rc == KMS_OK ? "done" : kms_strerror((uint32_t)rc), *q->why ? ": " : "",
		    q->why);
	return rc;
}

/* Header, rows. For a failed verb, the reason replaces the rows. */
static uint8_t *
build(int status, struct control_buf *rows, const char *why, size_t *len)
{
	uint8_t *reply;

	if (status == KMS_OK && rows->bad) {
		status = KMS_E_TOO_LARGE;
		why = "the answer is too large";
	}
	if (status != KMS_OK) {
		control_buf_free(rows);
		control_row(rows, "error");
		control_text(
		    rows, "message", *why ? why : kms_error_find((uint32_t)status)->remedy);
	}
	*len = CONTROL_REPLY_HEADER + rows->len;
	if (rows->bad || (reply = malloc(*len)) == NULL)
		return NULL;
	if (!control_reply_header(reply, (uint32_t)status, rows->len)) {
		free(reply);
		return NULL;
	}
	if (rows->len > 0)
		memcpy(reply + CONTROL_REPLY_HEADER, rows->data, rows->len);
	return reply;
}

uint8_t *
control_answer(struct activate *a, const struct control_asker *by, uint16_t verb,
    const struct wire_reader *args, size_t *len)
{
	struct control_buf rows = { 0 };
	char why[CONTROL_WHY] = "";
	struct control_request q = { .activate = a,
		.args = *args,
		.out = &rows,
		.why = why,
		.names = by->access > CONTROL_PAGE };
	int rc = run_verb(&q, by, verb);
	uint8_t *reply = build(rc, &rows, why, len);

	control_buf_free(&rows);
	return reply;
}
