/*
 * web_sessions.c - see web_sessions.h. Secrets are compared in constant time.
 */
#include "kmsd/activate/web_sessions.h"

#include <sodium.h>
#include <string.h>

/* A free place, or the one whose end is next. */
static void
make(struct web_pass *list, unsigned size, uint64_t end, uint8_t out[WEB_SECRET])
{
	struct web_pass *p = &list[0];

	for (unsigned i = 1; i < size; i++)
		if (list[i].end < p->end)
			p = &list[i];
	randombytes_buf(p->secret, WEB_SECRET);
	p->end = end;
	memcpy(out, p->secret, WEB_SECRET);
}

static const struct web_pass *
find(const struct web_pass *list, unsigned size, uint64_t now, const uint8_t secret[WEB_SECRET])
{
	const struct web_pass *found = NULL;

	for (unsigned i = 0; i < size; i++)
		if (sodium_memcmp(list[i].secret, secret, WEB_SECRET) == 0 && list[i].end > now)
			found = &list[i];
	return found;
}

void
web_sessions_token(struct web_sessions *s, uint64_t now, uint8_t out[WEB_SECRET])
{
	make(s->tokens, WEB_TOKENS, now + WEB_TOKEN_SECONDS, out);
}

bool
web_sessions_begin(
    struct web_sessions *s, uint64_t now, const uint8_t token[WEB_SECRET], uint8_t out[WEB_SECRET])
{
	const struct web_pass *p = find(s->tokens, WEB_TOKENS, now, token);

	if (p == NULL)
		return false;
	sodium_memzero(&s->tokens[p - s->tokens], sizeof(*p));
	make(s->sessions, WEB_SESSIONS, now + WEB_SESSION_SECONDS, out);
	return true;
}

bool
web_sessions_has(const struct web_sessions *s, uint64_t now, const uint8_t session[WEB_SECRET])
{
	return find(s->sessions, WEB_SESSIONS, now, session) != NULL;
}

unsigned
web_sessions_end(struct web_sessions *s, uint64_t now)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WEB_SESSIONS; i++)
		count += s->sessions[i].end > now;
	sodium_memzero(s, sizeof(*s));
	return count;
}
