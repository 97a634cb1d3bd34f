/*
 * invitation.c - see invitation.h.
 */
#include "kmsctl/share/invitation.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/share/certify.h"
#include "kmsctl/share/etcd_settings.h"
#include "kmsd/ipc/share_verbs.h"
#include "libkms/kms_error.h"

#define VERSION_KEY "kms-share"

static const struct {
	enum share_file file;
	const char *key, *begins;
} parts[] = {
	{ SHARE_AUTHORITY, "authority", "-----BEGIN CERTIFICATE-----\n" },
	{ SHARE_HOST, "host-certificate", "-----BEGIN CERTIFICATE-----\n" },
	{ SHARE_HOST_KEY, "host-key", "-----BEGIN PRIVATE KEY-----\n" },
	{ SHARE_ETCD, "etcd-certificate", "-----BEGIN CERTIFICATE-----\n" },
	{ SHARE_ETCD_KEY, "etcd-key", "-----BEGIN PRIVATE KEY-----\n" },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

char *
invitation_text(const struct invitation *i)
{
	char warning[512], member[ENDPOINT_TEXT], *text = NULL, *out = NULL;
	json_t *root = json_object(), *members = json_array();
	size_t size;
	bool ok;

	snprintf(warning, sizeof(warning),
	    "SECRET: these are the keys of %s in the share %s. Who has them can take its place. Delete this file after kmsctl share join.",
	    i->host, i->share);
	ok = json_object_set_new(root, "warning", json_string(warning)) == 0 &&
	     json_object_set_new(root, VERSION_KEY, json_integer(INVITATION_VERSION)) == 0 &&
	     json_object_set_new(root, "share", json_string(i->share)) == 0 &&
	     json_object_set_new(root, "host", json_string(i->host)) == 0;
	for (unsigned m = 0; m < i->members.count; m++)
		ok = ok && json_array_append_new(members,
			       json_string(endpoint_text(member, &i->members.at[m], 0))) == 0;
	ok = ok && json_object_set(root, "members", members) == 0;
	for (size_t p = 0; p < PARTS; p++)
		ok = ok && json_object_set_new(
			       root, parts[p].key, json_string(i->texts[parts[p].file])) == 0;
	if (ok && (text = json_dumps(root, JSON_INDENT(1))) != NULL) {
		size = strlen(text) + 2;
		if ((out = malloc(size)) != NULL)
			snprintf(out, size, "%s\n", text);
		explicit_bzero(text, strlen(text));
	}
	free(text);
	json_decref(members);
	json_decref(root);
	return out;
}

static int
bad(struct fault *f, const char *key)
{
	return fault_set(f, KMS_E_FORMAT,
	    "its \"%s\" is missing or damaged: make another one with kmsctl share invite", key);
}

static int
take_members(struct invitation *i, const json_t *list, struct fault *f)
{
	size_t count = json_array_size(list);

	if (count == 0 || count > CONFIG_MEMBERS)
		return bad(f, "members");
	for (size_t m = 0; m < count; m++) {
		const char *text = json_string_value(json_array_get(list, m));

		if (text == NULL || !endpoint_parse(&i->members.at[m], text, ETCD_CLIENT_PORT))
			return bad(f, "members");
		i->members.count++;
	}
	return KMS_OK;
}

static int
take(struct invitation *i, const json_t *root, struct fault *f)
{
	const json_t *version = json_object_get(root, VERSION_KEY);
	const char *share = json_string_value(json_object_get(root, "share"));
	const char *host = json_string_value(json_object_get(root, "host"));
	struct endpoint e;
	int rc;

	if (!json_is_integer(version))
		return fault_set(f, KMS_E_FORMAT,
		    "this is no invitation: name the file that kmsctl share invite wrote");
	if (json_integer_value(version) != INVITATION_VERSION)
		return fault_version(
		    f, &(struct fault_version){ .what = "invitation",
			   .found = (unsigned)json_integer_value(version),
			   .known = INVITATION_VERSION,
			   .reader = "kmsctl",
			   .next = "install the same version of kmsd on both hosts" });
	if (share == NULL || !share_name_ok(share, strlen(share)))
		return bad(f, "share");
	if (host == NULL || !endpoint_parse(&e, host, 0) || e.port != 0 ||
	    strlen(e.name) != strlen(host))
		return bad(f, "host");
	snprintf(i->share, sizeof(i->share), "%s", share);
	snprintf(i->host, sizeof(i->host), "%s", e.name);
	if ((rc = take_members(i, json_object_get(root, "members"), f)) != KMS_OK)
		return rc;
	for (size_t p = 0; p < PARTS; p++) {
		const char *text = json_string_value(json_object_get(root, parts[p].key));

		if (text == NULL || strlen(text) > CERTIFY_PEM_MAX ||
		    strncmp(text, parts[p].begins, strlen(parts[p].begins)) != 0)
			return bad(f, parts[p].key);
		if ((i->texts[parts[p].file] = strdup(text)) == NULL)
			return fault_set(f, KMS_E_NO_MEMORY, NULL);
	}
	return KMS_OK;
}

int
invitation_parse(struct invitation *i, const char *text, size_t len, struct fault *f)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	int rc;

	memset(i, 0, sizeof(*i));
	rc =
	    json_is_object(root)
		? take(i, root, f)
		: fault_set(f, KMS_E_FORMAT,
		      "this is no invitation, or a damaged one: name the file that kmsctl share invite wrote");
	json_decref(root);
	return rc;
}

bool
invitation_is(const char *text, size_t len)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	bool is = json_is_integer(json_object_get(root, VERSION_KEY));

	json_decref(root);
	return is;
}

void
invitation_free(struct invitation *i)
{
	for (int t = 0; t < SHARE_FILES; t++) {
		if (i->texts[t] != NULL)
			explicit_bzero(i->texts[t], strlen(i->texts[t]));
		free(i->texts[t]);
		i->texts[t] = NULL;
	}
}
