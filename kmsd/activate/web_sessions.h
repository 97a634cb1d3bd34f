/*
 * web_sessions.h - who may see names on the page of kmsd-web. The activation process makes tokens
 * and sessions itself: a kmsd-web that somebody else owns learns no name while nobody is logged in.
 */
#ifndef KMSD_ACTIVATE_WEB_SESSIONS_H
#define KMSD_ACTIVATE_WEB_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#define WEB_TOKENS 8              /* that wait to be used; the oldest gives way */
#define WEB_TOKEN_SECONDS 300     /* a token's life */
#define WEB_SESSIONS 32           /* the oldest gives way */
#define WEB_SESSION_SECONDS 43200 /* 12 hours */
#define WEB_SECRET 16             /* bytes of either */

struct web_pass {
	uint8_t secret[WEB_SECRET];
	uint64_t end; /* monotonic seconds; 0: there is none */
};
struct web_sessions {
	struct web_pass tokens[WEB_TOKENS], sessions[WEB_SESSIONS];
};

/* A token that is good once. */
void web_sessions_token(struct web_sessions *s, uint64_t now, uint8_t out[WEB_SECRET]);
/* False: there is no such token, it was used, or its time is over. */
bool web_sessions_begin(
    struct web_sessions *s, uint64_t now, const uint8_t token[WEB_SECRET], uint8_t out[WEB_SECRET]);
bool web_sessions_has(
    const struct web_sessions *s, uint64_t now, const uint8_t session[WEB_SECRET]);
/* All sessions, and the tokens that wait; how many sessions there were. */
unsigned web_sessions_end(struct web_sessions *s, uint64_t now);

#endif
