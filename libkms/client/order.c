/*
 * order.c - see order.h; the order is that of RFC 2782, "Usage rules" and "Weight".
 */
#include "libkms/client/order.h"

#include <string.h>

#include "libkms/base/number.h"
#include "libkms/kms_error.h"

int
discover_parse(struct discover_host *out, const char *text, uint16_t port)
{
	const char *end, *rest, *first = strchr(text, ':');
	uint64_t number;
	size_t len;

	memset(out, 0, sizeof(*out));
	out->port = port;
	if (*text == '[') {
		end = strchr(++text, ']');
		if (end == NULL)
			return KMS_E_FORMAT;
		rest = end + 1;
	} else if (first != NULL && strchr(first + 1, ':') == NULL) {
		rest = end = first;
	} else {
		rest = end = text + strlen(text); /* a name, or IPv6 without a port */
	}
	len = (size_t)(end - text);
	if (len == 0 || len >= sizeof(out->name))
		return KMS_E_FORMAT;
	memcpy(out->name, text, len);
	if (*rest == '\0')
		return KMS_OK;
	if (*rest != ':' || !number_parse(&number, UINT16_MAX, rest + 1) || number == 0)
		return KMS_E_FORMAT;
	out->port = (uint16_t)number;
	return KMS_OK;
}

static void
swap(struct discover_host *a, struct discover_host *b)
{
	struct discover_host t = *a;

	*a = *b;
	*b = t;
}

/* By priority; within one, weight zero first, as RFC 2782 arranges them before the draw. */
static int
before(const struct discover_host *a, const struct discover_host *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->weight == 0 && b->weight != 0;
}

static void
sort(struct discover_host *hosts, size_t count)
{
	size_t i, j;

	for (i = 1; i < count; i++)
		for (j = i; j > 0 && before(&hosts[j], &hosts[j - 1]); j--)
			swap(&hosts[j], &hosts[j - 1]);
}

/* Draw one of hosts[0..count-1]: the first whose running sum reaches a number from 0 to the sum. */
static size_t
draw(const struct discover_host *hosts, size_t count, discover_random *random, void *arg)
{
	uint32_t sum = 0, running = 0, want;
	size_t i;

	for (i = 0; i < count; i++)
		sum += hosts[i].weight;
	want = random(arg, sum + 1);
	for (i = 0; i + 1 < count; i++) {
		running += hosts[i].weight;
		if (running >= want)
			break;
	}
	return i;
}

void
discover_order(struct discover_host *hosts, size_t count, discover_random *random, void *arg)
{
	size_t start, end, pick;

	sort(hosts, count);
	for (start = 0; start < count; start++) {
		struct discover_host chosen;

		for (end = start; end < count && hosts[end].priority == hosts[start].priority;
		     end++)
			;
		pick = start + draw(hosts + start, end - start, random, arg);
		/* Move it to the front and keep the rest as it was: zero weights stay first. */
		chosen = hosts[pick];
		memmove(hosts + start + 1, hosts + start, (pick - start) * sizeof(*hosts));
		hosts[start] = chosen;
	}
}
