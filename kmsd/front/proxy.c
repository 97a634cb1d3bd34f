/*
 * proxy.c - see proxy.h. Only a balancer that kms.ini names may send such a header, yet its bytes
 * are checked like any stranger's.
 */
#include "kmsd/front/proxy.h"

#include <string.h>

#include "libkms/base/address.h"
#include "libkms/base/number.h"
#include "libkms/kms_error.h"

#define V1_MAX 107 /* bytes, with the end of line */
#define V1_WORDS 6 /* PROXY TCP4 source destination port port */

#define V2_HEAD 16
#define V2_LOCAL 0x20
#define V2_PROXY 0x21
#define V2_UNSPECIFIED 0x00
#define V2_TCP4 0x11
#define V2_TCP6 0x21

static const uint8_t v1_begin[6] = "PROXY ";
static const uint8_t v2_begin[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 'Q', 'U', 'I', 'T',
	0x0a };

/* -- version 1: a line of words -- */

/* Cuts line at its blanks; false: other than count words, of which none is empty. */
static bool
split(char *line, char *words[], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		words[i] = line;
		line = strchr(line, ' ');
		if (*words[i] == '\0' || words[i] == line || (line == NULL) != (i + 1 == count))
			return false;
		if (line != NULL)
			*line++ = '\0';
	}
	return true;
}

static int
v1_words(struct proxy_header *out, char *line)
{
	uint8_t destination[16];
	uint64_t from, to;
	char *word[V1_WORDS];
	bool v4;

	if (strcmp(line, "PROXY UNKNOWN") == 0 || strncmp(line, "PROXY UNKNOWN ", 14) == 0)
		return KMS_OK;
	if (!split(line, word, V1_WORDS))
		return KMS_E_FORMAT;
	v4 = strcmp(word[1], "TCP4") == 0;
	if (!v4 && strcmp(word[1], "TCP6") != 0)
		return KMS_E_FORMAT;
	if (!address_parse(out->address, word[2]) || !address_parse(destination, word[3]) ||
	    (strchr(word[2], ':') == NULL) != v4 || (strchr(word[3], ':') == NULL) != v4 ||
	    !number_parse(&from, UINT16_MAX, word[4]) || !number_parse(&to, UINT16_MAX, word[5]))
		return KMS_E_FORMAT;
	out->named = true;
	out->port = (uint16_t)from;
	return KMS_OK;
}

static int
v1_parse(struct proxy_header *out, const uint8_t *data, size_t len)
{
	const uint8_t *end = memchr(data, '\n', len < V1_MAX ? len : V1_MAX);
	char line[V1_MAX + 1];
	size_t n;

	if (end == NULL)
		return len < V1_MAX ? KMS_E_TIMEOUT : KMS_E_FORMAT;
	n = (size_t)(end - data);
	out->size = n + 1;
	if (n == 0 || data[n - 1] != '\r' || memchr(data, '\0', n) != NULL)
		return KMS_E_FORMAT;
	memcpy(line, data, n - 1);
	line[n - 1] = '\0';
	return v1_words(out, line);
}

/* -- version 2: bytes -- */

static void
v2_address(struct proxy_header *out, const uint8_t *data, bool v4)
{
	size_t size = v4 ? 4 : 16;
	const uint8_t *port = data + V2_HEAD + 2 * size;

	if (v4)
		memset(out->address + 10, 0xff, 2);
	memcpy(out->address + 16 - size, data + V2_HEAD, size);
	out->port = (uint16_t)(port[0] << 8 | port[1]);
	out->named = true;
}

static int
v2_parse(struct proxy_header *out, const uint8_t *data, size_t len)
{
	size_t size;
	bool v4;

	if (len < V2_HEAD)
		return KMS_E_TIMEOUT;
	size = (size_t)(data[14] << 8 | data[15]);
	out->size = V2_HEAD + size;
	if ((data[12] != V2_LOCAL && data[12] != V2_PROXY) || out->size > PROXY_MAX)
		return KMS_E_FORMAT;
	v4 = data[13] == V2_TCP4;
	if (data[12] == V2_PROXY && data[13] != V2_UNSPECIFIED &&
	    ((!v4 && data[13] != V2_TCP6) || size < (v4 ? 12 : 36)))
		return KMS_E_FORMAT;
	if (len < out->size)
		return KMS_E_TIMEOUT;
	if (data[12] == V2_PROXY && data[13] != V2_UNSPECIFIED)
		v2_address(out, data, v4);
	return KMS_OK;
}

static bool
begins(const uint8_t *data, size_t len, const uint8_t *begin, size_t size)
{
	return memcmp(data, begin, len < size ? len : size) == 0;
}

int
proxy_parse(struct proxy_header *out, const uint8_t *data, size_t len)
{
	memset(out, 0, sizeof(*out));
	if (begins(data, len, v1_begin, sizeof(v1_begin)))
		return v1_parse(out, data, len);
	if (begins(data, len, v2_begin, sizeof(v2_begin)))
		return v2_parse(out, data, len);
	return KMS_E_FORMAT;
}
