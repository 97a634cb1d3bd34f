/*
 * etcd.h - requests to the JSON gateway of etcd (3.4 and later), and its answers: bytes to bytes,
 * without a socket. Numbers of 64 bits are strings there, keys and values base64.
 *
 * An answer is a stranger's: its size is limited by who receives it, its depth and the number of
 * its values are counted here before the library allocates anything for them.
 */
#ifndef KMSD_SHARE_ETCD_H
#define KMSD_SHARE_ETCD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ipc/share_verbs.h"
#include "kmsd/share/base64.h"

/* The largest answer: all beats or one parcel, and the fields around each. */
#define ETCD_ANSWER (BASE64_TEXT(SHARE_OCTETS) + SHARE_MEMBERS * 512 + 4096)
#define ETCD_DEPTH 8
#define ETCD_VALUES 2048 /* members and elements, of all objects and arrays together */

/* A request: malloc'd text; free(3). NULL: memory. */
struct etcd_text {
	const char *path;
	char *bytes;
	size_t len;
};
/* If there is no such key, puts it; else reads what is there. */
bool etcd_create(struct etcd_text *t, const char *key, const uint8_t *value, size_t len);
/* Puts a key and reads those from..end, at most limit of them, in one transaction. */
bool etcd_put_and_list(struct etcd_text *t, const char *key, const uint8_t *value, size_t len,
    const char *from, const char *end, unsigned limit);
/* The first of the keys from..end, or the last. */
bool etcd_first(struct etcd_text *t, const char *from, const char *end, bool last);
/* Whether a majority answers: one key of from..end, without its value. */
bool etcd_probe(struct etcd_text *t, const char *from, const char *end);
bool etcd_delete(struct etcd_text *t, const char *from, const char *end);

/* Which of the requests an answer is to. */
enum etcd_kind {
	ETCD_CREATE,
	ETCD_PUT_AND_LIST,
	ETCD_RANGE, /* etcd_first, etcd_probe */
	ETCD_DELETE,
};
struct etcd_answer {
	uint64_t cluster; /* never 0 */
	bool created;
	uint64_t deleted;
	size_t count;
	const json_t *pairs; /* count of them; borrowed from root */
	json_t *root;
};
/*
 * KMS_OK; KMS_E_FORMAT: no answer to such a request; KMS_E_LIMIT: deeper or with more values than
 * allowed; KMS_E_NO_MEMORY. etcd_answer_free in any case.
 */
int etcd_answer_parse(struct etcd_answer *a, enum etcd_kind kind, const char *bytes, size_t len);
void etcd_answer_free(struct etcd_answer *a);
/*
 * The i-th pair. The key is text without zeros of less than key_size. *len: of the value, at most
 * size. False: it is not that.
 */
bool etcd_answer_pair(const struct etcd_answer *a, size_t i, char *key, size_t key_size,
    uint8_t *value, size_t size, size_t *len);

/*
 * What an answer with another HTTP status than 200 means. KMS_E_FULL, KMS_E_TOO_LARGE: another
 * member of the cluster would say the same; KMS_E_DENIED; else KMS_E_NO_HOST: another may do
 * better. why: what it says, or nothing.
 */
int etcd_error(char why[128], long http, const char *bytes, size_t len);

#endif
