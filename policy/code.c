/*
 * code.c - bytes as groups of characters that a person can type, and back: which group is wrong,
 * and why. kms.key(5) defines the form.
 *
 * A group's check character is a linear sum over GF(32) with another weight for each place, so
 * that it detects every single wrong character and every two exchanged ones. It also depends on
 * the group's number, so that a missing, repeated or misplaced group is detected too.
 */
#include "policy/code.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define CHECK_OCTETS 3 /* of a hash over the whole, at its end */
#define SYMBOLS_MAX (CODE_GROUPS_MAX * CODE_GROUP + 64)
#define PIECES_MAX 256
#define NAMED 6 /* wrong groups that are named; others are only counted */

/* Crockford's: no I, L, O, U. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct symbols {
	uint8_t at[SYMBOLS_MAX];
	unsigned count;
	uint16_t piece[PIECES_MAX]; /* lengths of the pieces between separators */
	unsigned pieces;
};

/* -- characters -- */

/* What people type: either case, O for 0, I and L for 1, U for V. */
static int
symbol(char c)
{
	const char *found;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	if (c == 'U')
		c = 'V';
	found = c != '\0' ? strchr(alphabet, c) : NULL;
	return found != NULL ? (int)(found - alphabet) : -1;
}

/* Bytes of the separator at text: blanks, line ends, dashes of any length; 0: none. */
static size_t
separator(const char *text, size_t len)
{
	static const char *const wide[] = { "\xc2\xa0", "\xe2\x80\x90", "\xe2\x80\x91",
		"\xe2\x80\x92", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95", "\xe2\x88\x92" };

	if (text[0] != '\0' && strchr(" \t\r\n-_.,:", text[0]) != NULL)
		return 1;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (len >= strlen(wide[i]) && memcmp(text, wide[i], strlen(wide[i])) == 0)
			return strlen(wide[i]);
	return 0;
}

static void
end_piece(struct symbols *s, unsigned *begun)
{
	if (s->count > *begun && s->pieces < PIECES_MAX)
		s->piece[s->pieces++] = (uint16_t)(s->count - *begun);
	*begun = s->count;
}

static int
read_symbols(struct symbols *s, const char *text, size_t len, struct fault *err)
{
	unsigned begun = 0;
	size_t skip;
	int v;

	s->count = s->pieces = 0;
	if (len > CODE_INPUT)
		return fault_set(err, KMS_E_TOO_LARGE, "this is longer than any code");
	for (size_t i = 0; i < len;) {
		if ((skip = separator(text + i, len - i)) > 0) {
			end_piece(s, &begun);
			i += skip;
			continue;
		}
		if ((v = symbol(text[i])) < 0)
			return fault_set(err, KMS_E_FORMAT,
			    text[i] > ' ' && text[i] < 127
				? "group %u contains '%c', which no code contains"
				: "group %u contains a character that no code contains",
			    s->count / CODE_GROUP + 1, text[i]);
		if (s->count == SYMBOLS_MAX)
			return fault_set(err, KMS_E_TOO_LARGE, "this is longer than any code");
		s->at[s->count++] = (uint8_t)v;
		i++;
	}
	end_piece(s, &begun);
	return KMS_OK;
}

bool
code_looks_like(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++) {
		if (symbol(*text) >= 0)
			count++;
		else if (strchr("- \t\r\n", *text) == NULL)
			return false;
	}
	return count >= CODE_GROUP;
}

/* -- check characters -- */

/* a times x^power in GF(32), modulo x^5 + x^2 + 1. */
static uint8_t
times(uint8_t a, unsigned power)
{
	while (power-- > 0)
		a = (uint8_t)(a & 16 ? (a << 1) ^ 0x25 : a << 1);
	return a;
}

static uint8_t
check(const uint8_t *group, unsigned index)
{
	uint8_t sum = times(1, index % 31);

	for (unsigned i = 0; i < CODE_GROUP - 1; i++)
		sum ^= times(group[i], i + 1);
	return sum;
}

/* Is the group at place `at` right as group number `index`? Both from 0. */
static bool
fits(const struct symbols *s, unsigned at, unsigned index)
{
	const uint8_t *group = s->at + at * CODE_GROUP;

	return check(group, index) == group[CODE_GROUP - 1];
}

static void
whole_check(uint8_t out[CHECK_OCTETS], enum code_kind kind, const uint8_t *octets, size_t len)
{
	uint8_t text[12 + CODE_OCTETS] = "KMS code v1", hash[crypto_hash_sha256_BYTES];

	text[11] = (uint8_t)kind;
	memcpy(text + 12, octets, len);
	crypto_hash_sha256(hash, text, 12 + len);
	memcpy(out, hash, CHECK_OCTETS);
}

static unsigned
groups_due(size_t len)
{
	size_t data = 4 + ((len + CHECK_OCTETS) * 8 + 4) / 5;

	return (unsigned)((data + CODE_GROUP - 2) / (CODE_GROUP - 1));
}

/* -- writing -- */

/* A confirmation's code of version 1 stood for a certificate that no program makes any more. */
static uint8_t
layout_version(enum code_kind kind)
{
	return kind == CODE_CONFIRMATION ? 2 : 1;
}

size_t
code_format(char *out, size_t size, enum code_kind kind, const uint8_t *octets, size_t len)
{
	uint8_t data[CODE_GROUPS_MAX * (CODE_GROUP - 1)] = { 0 }, all[CODE_OCTETS + CHECK_OCTETS];
	unsigned groups = groups_due(len), n = 4;
	size_t at = 0;

	if (len > CODE_OCTETS || size < (size_t)groups * (CODE_GROUP + 1))
		return 0;
	memcpy(all, octets, len);
	whole_check(all + len, kind, octets, len);
	data[0] = (uint8_t)symbol((char)kind);
	data[1] = layout_version(kind);
	data[2] = (uint8_t)(len >> 5);
	data[3] = len & 31;
	for (size_t bit = 0; bit < (len + CHECK_OCTETS) * 8; bit++) {
		unsigned place = n + (unsigned)(bit / 5);

		if (all[bit / 8] & 0x80 >> bit % 8)
			data[place] |= (uint8_t)(16 >> bit % 5);
	}
	for (unsigned g = 0; g < groups; g++) {
		const uint8_t *group = data + g * (CODE_GROUP - 1);

		if (g > 0)
			out[at++] = g % 5 == 0 ? '\n' : '-';
		for (unsigned i = 0; i < CODE_GROUP - 1; i++)
			out[at++] = alphabet[group[i]];
		out[at++] = alphabet[check(group, g)];
	}
	out[at] = '\0';
	return at;
}

/* -- what is wrong with it -- */

static void
spell(char out[CODE_GROUP + 1], const struct symbols *s, unsigned at)
{
	for (unsigned i = 0; i < CODE_GROUP; i++)
		out[i] = alphabet[s->at[at * CODE_GROUP + i]];
	out[CODE_GROUP] = '\0';
}

/* From the group at place `from` on, are all groups right when moved by `shift` places? */
static bool
all_fit(const struct symbols *s, unsigned from, int shift)
{
	unsigned i, last = s->count / CODE_GROUP;

	for (i = from; i < last; i++)
		if (!fits(s, i, (unsigned)((int)i + shift)))
			return false;
	return last > from;
}

static int
name_groups(struct fault *err, const struct symbols *s, const unsigned *bad, unsigned count)
{
	char group[CODE_GROUP + 1], text[FAULT_TEXT];
	size_t at = 0;

	for (unsigned i = 0; i < count && i < NAMED; i++) {
		spell(group, s, bad[i]);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u (%s)",
		    i == 0           ? count > 1 ? "groups " : "group "
		    : i + 1 == count ? " and "
				     : ", ",
		    bad[i] + 1, group);
	}
	if (count > NAMED)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " and %u more", count - NAMED);
	snprintf(text + at, sizeof(text) - at, " %s mistyped", count > 1 ? "are" : "is");
	return fault_set(err, KMS_E_FORMAT, "%s", text);
}

/* A piece between separators that is not a group, while the others are. */
static bool
odd_piece(struct fault *err, const struct symbols *s)
{
	unsigned whole = 0, odd = 0, n = 0;

	for (unsigned i = 0; i < s->pieces; i++) {
		if (s->piece[i] == CODE_GROUP)
			whole++;
		else if (n++ == 0)
			odd = i;
	}
	if (n == 0 || n > 2 || whole < 2 * n)
		return false;
	fault_set(err, KMS_E_FORMAT, "group %u has %u character%s where %d are expected", odd + 1,
	    s->piece[odd], s->piece[odd] == 1 ? "" : "s", CODE_GROUP);
	return true;
}

/* Whole groups left out or entered twice. */
static bool
shifted(struct fault *err, const struct symbols *s, unsigned first, unsigned due)
{
	unsigned given = s->count / CODE_GROUP;

	if (given + 1 == due && all_fit(s, first, 1)) {
		fault_set(err, KMS_E_FORMAT, "group %u is missing", first + 1);
		return true;
	}
	if (given == due + 1 && all_fit(s, first + 1, -1)) {
		fault_set(err, KMS_E_FORMAT, "group %u is there twice", first + 1);
		return true;
	}
	return false;
}

/* Five bits of each character but the checks; false when the rest is not zero. */
static bool
unpack(uint8_t *out, size_t len, const struct symbols *s)
{
	size_t bits = (s->count / CODE_GROUP * (CODE_GROUP - 1) - 4) * 5;

	memset(out, 0, len);
	for (size_t bit = 0; bit < bits; bit++) {
		size_t place = 4 + bit / 5;
		uint8_t v = s->at[place / (CODE_GROUP - 1) * CODE_GROUP + place % (CODE_GROUP - 1)];

		if (!(v & 16 >> bit % 5))
			continue;
		if (bit / 8 >= len)
			return false;
		out[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
	return true;
}

/*
 * Each is right in the other's place, which two mistakes can cause by chance: so the whole code
 * must be right, too.
 */
static bool
exchanged(const struct symbols *s, enum code_kind kind, size_t len, const unsigned bad[2])
{
	uint8_t all[CODE_OCTETS + CHECK_OCTETS], want[CHECK_OCTETS];
	struct symbols other = *s;

	if (!fits(s, bad[0], bad[1]) || !fits(s, bad[1], bad[0]))
		return false;
	memcpy(other.at + bad[0] * CODE_GROUP, s->at + bad[1] * CODE_GROUP, CODE_GROUP);
	memcpy(other.at + bad[1] * CODE_GROUP, s->at + bad[0] * CODE_GROUP, CODE_GROUP);
	if (len == 0) /* the first group is one of them */
		len = (size_t)other.at[2] << 5 | other.at[3];
	if (len == 0 || len > CODE_OCTETS || groups_due(len) != s->count / CODE_GROUP ||
	    !unpack(all, len + CHECK_OCTETS, &other))
		return false;
	whole_check(want, kind, all, len);
	return memcmp(want, all + len, CHECK_OCTETS) == 0;
}

static int
judge(struct fault *err, const struct symbols *s, enum code_kind kind, size_t len)
{
	unsigned due = len > 0 ? groups_due(len) : s->count / CODE_GROUP;
	unsigned given = s->count / CODE_GROUP, bad[CODE_GROUPS_MAX + 16], count = 0;

	for (unsigned i = 0; i < given; i++)
		if (!fits(s, i, i))
			bad[count++] = i;
	if (count == 0 && given == due && s->count % CODE_GROUP == 0)
		return KMS_OK;
	if (odd_piece(err, s) || (count > 0 && shifted(err, s, bad[0], due)))
		return KMS_E_FORMAT;
	if (count == 2 && exchanged(s, kind, len, bad))
		return fault_set(
		    err, KMS_E_FORMAT, "groups %u and %u are exchanged", bad[0] + 1, bad[1] + 1);
	if (count > 0)
		return name_groups(err, s, bad, count);
	if (s->count % CODE_GROUP != 0 && given < due)
		return fault_set(err, KMS_E_FORMAT,
		    "group %u has %u character%s where %d are expected", given + 1,
		    s->count % CODE_GROUP, s->count % CODE_GROUP == 1 ? "" : "s", CODE_GROUP);
	if (given >= due)
		return fault_set(
		    err, KMS_E_FORMAT, "the code has %u groups, but something follows it", due);
	return fault_at(err, (int)given, KMS_E_TRUNCATED,
	    "only %u of %u groups: the end is missing", given, due);
}

/* -- reading -- */

static int
read_head(const struct symbols *s, enum code_kind kind, size_t *len, struct fault *err)
{
	if (s->count < CODE_GROUP)
		return fault_set(err, KMS_E_FORMAT,
		    s->count == 0 ? "there is no code" : "a group has 5 characters");
	if (!fits(s, 0, 0))
		return KMS_OK; /* named with all the others that are wrong */
	if (s->at[0] != symbol((char)kind))
		return fault_set(err, KMS_E_FORMAT,
		    s->at[0] == symbol(CODE_HOST_KEY)
			? "this is the code of a KMS host key: use kmsctl key install"
		    : s->at[0] == symbol(CODE_CONFIRMATION)
			? "this is the code of a confirmation: use kmsctl key confirm"
			: "this is not a code of a publisher: it begins with another letter");
	if (s->at[1] != layout_version(kind))
		return fault_set(err, KMS_E_SCHEMA,
		    "this code has version %u, and this program reads version %u: ask the publisher for the file instead",
		    s->at[1], layout_version(kind));
	*len = (size_t)s->at[2] << 5 | s->at[3];
	if (*len == 0 || *len > CODE_OCTETS)
		return fault_set(
		    err, KMS_E_FORMAT, "this is not a code of a publisher: its length is wrong");
	return KMS_OK;
}

int
code_parse(uint8_t out[CODE_OCTETS], size_t *len, enum code_kind kind, const char *text,
    size_t text_len, struct fault *err)
{
	uint8_t all[CODE_OCTETS + CHECK_OCTETS], want[CHECK_OCTETS];
	struct symbols s;
	size_t n = 0;
	int rc;

	*err = (struct fault){ 0 };
	if ((rc = read_symbols(&s, text, text_len, err)) != KMS_OK ||
	    (rc = read_head(&s, kind, &n, err)) != KMS_OK ||
	    (rc = judge(err, &s, kind, n)) != KMS_OK)
		return rc;
	if (!unpack(all, n + CHECK_OCTETS, &s))
		return fault_set(err, KMS_E_FORMAT,
		    "this is not a code of a publisher: its last group is wrong");
	whole_check(want, kind, all, n);
	if (memcmp(want, all + n, CHECK_OCTETS) != 0)
		return fault_set(err, KMS_E_FORMAT,
		    "each group passes its own check, but the whole code does not: one group has two mistakes");
	memcpy(out, all, n);
	*len = n;
	return KMS_OK;
}
