/*
 * share_words.h - what the running kmsd says of its share (CONTROL_SHARE_STATUS), in words and with
 * what to do about it: the same for share status and for doctor.
 */
#ifndef KMSCTL_HOST_SHARE_WORDS_H
#define KMSCTL_HOST_SHARE_WORDS_H

#include <stdbool.h>

#include "kmsctl/host/reply.h"

#define SHARE_WORDS_TEXT 400

struct share_words {
	char text[SHARE_WORDS_TEXT];
	const char *next; /* NULL: nothing is to be done */
	bool bad, warn;   /* no client gets a lease; less than usual */
};
/* Of a row "share" whose host is configured. */
void share_words(struct share_words *w, const struct reply_row *row);

enum share_member_state {
	SHARE_MEMBER_WELL,
	SHARE_MEMBER_LATE,  /* not heard for long */
	SHARE_MEMBER_APART, /* not followed: its batches do not count here */
};
/* Of a row "share-member". *next: NULL: nothing is to be done. */
enum share_member_state share_member_words(
    char text[SHARE_WORDS_TEXT], const char **next, const struct reply_row *row);

#endif
