/*
 * etcd.c - see etcd.h.
 */
#include "kmsd/share/etcd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/number.h"
#include "libkms/kms_error.h"

/* The codes of gRPC that its gateway repeats in an error. */
#define GRPC_INVALID_ARGUMENT 3
#define GRPC_PERMISSION_DENIED 7
#define GRPC_RESOURCE_EXHAUSTED 8
#define GRPC_UNAUTHENTICATED 16

/* -- requests -- */

static json_t *
encoded(const void *bytes, size_t len)
{
	char *text = malloc(BASE64_TEXT(len) + 1);
	json_t *value;

	if (text == NULL)
		return NULL;
	base64_format(text, bytes, len);
	value = json_stringn_nocheck(text, BASE64_TEXT(len));
	free(text);
	return value;
}

static json_t *
encoded_key(const char *key)
{
	return encoded(key, strlen(key));
}

/* Takes over body. */
static bool
finish(struct etcd_text *t, const char *path, json_t *body)
{
	t->path = path;
	t->bytes = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	t->len = t->bytes != NULL ? strlen(t->bytes) : 0;
	json_decref(body);
	return t->bytes != NULL;
}

static json_t *
put_of(const char *key, const uint8_t *value, size_t len)
{
	return json_pack("{s:o,s:o}", "key", encoded_key(key), "value", encoded(value, len));
}

static json_t *
range_of(const char *from, const char *end, unsigned limit)
{
	char count[16];

	snprintf(count, sizeof(count), "%u", limit);
	return json_pack("{s:o,s:o,s:s}", "key", encoded_key(from), "range_end", encoded_key(end),
	    "limit", count);
}

/* Version 0 of a key: there is none. */
bool
etcd_create(struct etcd_text *t, const char *key, const uint8_t *value, size_t len)
{
	return finish(t, "/v3/kv/txn",
	    json_pack("{s:[{s:o,s:s,s:s,s:s}],s:[{s:o}],s:[{s:{s:o}}]}", "compare", "key",
		encoded_key(key), "target", "VERSION", "result", "EQUAL", "version", "0", "success",
		"request_put", put_of(key, value, len), "failure", "request_range", "key",
		encoded_key(key)));
}

bool
etcd_put_and_list(struct etcd_text *t, const char *key, const uint8_t *value, size_t len,
    const char *from, const char *end, unsigned limit)
{
	return finish(t, "/v3/kv/txn",
	    json_pack("{s:[{s:o},{s:o}]}", "success", "request_put", put_of(key, value, len),
		"request_range", range_of(from, end, limit)));
}

bool
etcd_first(struct etcd_text *t, const char *from, const char *end, bool last)
{
	json_t *range = range_of(from, end, 1);

	if (range != NULL) {
		json_object_set_new(range, "sort_target", json_string("KEY"));
		json_object_set_new(range, "sort_order", json_string(last ? "DESCEND" : "ASCEND"));
	}
	return finish(t, "/v3/kv/range", range);
}

bool
etcd_probe(struct etcd_text *t, const char *from, const char *end)
{
	json_t *range = range_of(from, end, 1);

	if (range != NULL)
		json_object_set_new(range, "keys_only", json_true());
	return finish(t, "/v3/kv/range", range);
}

bool
etcd_delete(struct etcd_text *t, const char *from, const char *end)
{
	return finish(t, "/v3/kv/deleterange",
	    json_pack("{s:o,s:o}", "key", encoded_key(from), "range_end", encoded_key(end)));
}

/* -- answers -- */

/* Of text that may be anything: how deep it is, and how many values it could be at most. */
static bool
shape_ok(const char *bytes, size_t len)
{
	unsigned depth = 0, values = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (quoted) {
			if (c == '\\')
				i++;
			quoted = c != '"';
			continue;
		}
		switch (c) {
		case '"':
			quoted = true;
			break;
		case '{':
		case '[':
			values++;
			if (++depth > ETCD_DEPTH)
				return false;
			break;
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		case ',':
			values++;
			break;
		}
		if (values > ETCD_VALUES)
			return false;
	}
	return true;
}

static int
load(json_t **root, const char *bytes, size_t len)
{
	json_error_t error;

	*root = NULL;
	if (!shape_ok(bytes, len))
		return KMS_E_LIMIT;
	*root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (*root == NULL && json_error_code(&error) == json_error_out_of_memory)
		return KMS_E_NO_MEMORY;
	return json_is_object(*root) ? KMS_OK : KMS_E_FORMAT;
}

/* A number of 64 bits, which is left out when it is zero. */
static bool
number_of(const json_t *object, const char *name, uint64_t *out)
{
	const json_t *value = json_object_get(object, name);

	*out = 0;
	return value == NULL ||
	       (json_is_string(value) && number_parse(out, UINT64_MAX, json_string_value(value)));
}

static bool
take_pairs(struct etcd_answer *a, const json_t *range)
{
	if (!json_is_object(range))
		return false;
	a->pairs = json_object_get(range, "kvs");
	if (a->pairs == NULL)
		return true;
	if (!json_is_array(a->pairs))
		return false;
	a->count = json_array_size(a->pairs);
	return true;
}

/* Of a transaction: the i-th of how many answers, of that name. */
static const json_t *
response(const json_t *root, size_t i, size_t count, const char *name)
{
	const json_t *all = json_object_get(root, "responses");

	return json_is_array(all) && json_array_size(all) == count
		   ? json_object_get(json_array_get(all, i), name)
		   : NULL;
}

/* A lost comparison leaves "succeeded" out. */
static bool
take_created(struct etcd_answer *a)
{
	const json_t *succeeded = json_object_get(a->root, "succeeded");

	if (succeeded != NULL && !json_is_boolean(succeeded))
		return false;
	a->created = json_is_true(succeeded);
	if (a->created)
		return json_is_object(response(a->root, 0, 1, "response_put"));
	return take_pairs(a, response(a->root, 0, 1, "response_range")) && a->count == 1;
}

static bool
take_listed(struct etcd_answer *a)
{
	return json_is_true(json_object_get(a->root, "succeeded")) &&
	       json_is_object(response(a->root, 0, 2, "response_put")) &&
	       take_pairs(a, response(a->root, 1, 2, "response_range"));
}

static bool
take(struct etcd_answer *a, enum etcd_kind kind)
{
	switch (kind) {
	case ETCD_CREATE:
		return take_created(a);
	case ETCD_PUT_AND_LIST:
		return take_listed(a);
	case ETCD_RANGE:
		return take_pairs(a, a->root);
	case ETCD_DELETE:
		return number_of(a->root, "deleted", &a->deleted);
	}
	return false;
}

int
etcd_answer_parse(struct etcd_answer *a, enum etcd_kind kind, const char *bytes, size_t len)
{
	const json_t *header;
	int rc;

	memset(a, 0, sizeof(*a));
	if ((rc = load(&a->root, bytes, len)) != KMS_OK)
		return rc;
	header = json_object_get(a->root, "header");
	if (!json_is_object(header) || !number_of(header, "cluster_id", &a->cluster) ||
	    a->cluster == 0)
		return KMS_E_FORMAT;
	return take(a, kind) ? KMS_OK : KMS_E_FORMAT;
}

void
etcd_answer_free(struct etcd_answer *a)
{
	json_decref(a->root);
	memset(a, 0, sizeof(*a));
}

/* Empty when it is left out. */
static bool
decode(const json_t *object, const char *name, uint8_t *out, size_t size, size_t *len)
{
	const json_t *value = json_object_get(object, name);

	*len = 0;
	return value == NULL ||
	       (json_is_string(value) && base64_parse(out, size, len, json_string_value(value),
					     json_string_length(value)));
}

bool
etcd_answer_pair(const struct etcd_answer *a, size_t i, char *key, size_t key_size, uint8_t *value,
    size_t size, size_t *len)
{
	const json_t *pair = i < a->count ? json_array_get(a->pairs, i) : NULL;
	size_t key_len;

	if (!json_is_object(pair) || !decode(pair, "key", (uint8_t *)key, key_size - 1, &key_len) ||
	    memchr(key, '\0', key_len) != NULL)
		return false;
	key[key_len] = '\0';
	return decode(pair, "value", value, size, len);
}

int
etcd_error(char why[128], long http, const char *bytes, size_t len)
{
	const char *text = NULL;
	json_int_t code = 0;
	int status = KMS_E_NO_HOST;
	json_t *root;

	if (load(&root, bytes, len) == KMS_OK) {
		text = json_string_value(json_object_get(root, "error"));
		code = json_integer_value(json_object_get(root, "code"));
	}
	/* The same code says that it is busy. */
	if (code == GRPC_RESOURCE_EXHAUSTED && text != NULL && strstr(text, "space") != NULL)
		status = KMS_E_FULL;
	else if (code == GRPC_INVALID_ARGUMENT)
		status = KMS_E_TOO_LARGE;
	else if (code == GRPC_PERMISSION_DENIED || code == GRPC_UNAUTHENTICATED || http == 401 ||
		 http == 403)
		status = KMS_E_DENIED;
	snprintf(why, 128, "HTTP status %ld%s%s", http, text != NULL ? ": " : "",
	    text != NULL ? text : "");
	json_decref(root);
	return status;
}
