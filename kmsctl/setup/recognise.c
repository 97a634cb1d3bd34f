/*
 * recognise.c - see recognise.h. The order: bytes that only one format begins with, then sections
 * of ini text, then what minisign writes, then a code; what is left is told by how it looks.
 */
#include "kmsctl/setup/recognise.h"

#include <string.h>
#include <strings.h>

#include "libkms/core/minisig.h"
#include "policy/code.h"

#define SAVE_ATTACHMENT                                                                            \
	"save the files that are attached to it, each with its .minisig, and name those"
#define UNPACK "unpack it into a folder, and name the folder"
#define SAVE_AS_SENT "ask the publisher for the file itself, and save it unchanged"
#define TYPE_CODE                                                                                  \
	"if it shows a code: type the code with kmsctl key install or kmsctl key confirm; else ask for the file"

/* Formats by their first bytes. */
static const struct {
	const char *magic;
	size_t at, len;
	const char *what, *advice;
	bool secret;
} formats[] = {
#define BEGINS(magic, what, advice)                                                                \
	{                                                                                          \
		magic, 0, sizeof(magic) - 1, what, advice, false                                   \
	}
#define SECRET(magic, what, advice)                                                                \
	{                                                                                          \
		magic, 0, sizeof(magic) - 1, what, advice, true                                    \
	}
	BEGINS("KMSSTATE", "a client's state file", "it belongs to that client: leave it there"),
	SECRET("KMSSTKEY", "a client's secret key",
	    "it belongs to that client alone: delete every copy of it"),
	BEGINS("KMSAUDIT", "an audit file",
	    "it goes to the publisher, who reads it with kmsissue audit verify"),
	BEGINS("KMSLEAS", "a lease file", "kmsclient verify-lease shows it"),
	SECRET("KMSHOSTK", "the identity of a host (host.key)",
	    "to move a host to this machine, see \"Other hardware\" in the administrator's guide"),
	BEGINS("KMSJSEG", "a piece of a host's journal",
	    "to restore a ledger, use kmsctl ledger restore"),
	BEGINS("\x89PNG\r\n", "a picture (PNG)", TYPE_CODE),
	BEGINS("\xff\xd8\xff", "a picture (JPEG)", TYPE_CODE),
	BEGINS("GIF8", "a picture (GIF)", TYPE_CODE),
	BEGINS("II*\0", "a picture (TIFF)", TYPE_CODE),
	BEGINS("MM\0*", "a picture (TIFF)", TYPE_CODE),
	{ "WEBP", 8, 4, "a picture (WebP)", TYPE_CODE, false },
	{ "ftyphei", 4, 7, "a picture (HEIF)", TYPE_CODE, false },
	BEGINS("%PDF", "a PDF document", TYPE_CODE),
	BEGINS("PK\3\4", "a ZIP archive or an office document", UNPACK),
	BEGINS("PK\5\6", "an empty ZIP archive", SAVE_AS_SENT),
	BEGINS("\x1f\x8b", "a compressed file (gzip)", UNPACK),
	BEGINS("BZh", "a compressed file (bzip2)", UNPACK),
	BEGINS("\xfd"
	       "7zXZ",
	    "a compressed file (xz)", UNPACK),
	BEGINS("(\xb5/\xfd", "a compressed file (zstd)", UNPACK),
	BEGINS("7z\xbc\xaf", "a 7-Zip archive", UNPACK),
	BEGINS("Rar!", "a RAR archive", UNPACK),
	BEGINS("MSCF", "a cabinet archive", UNPACK),
	{ "ustar", 257, 5, "a tar archive", UNPACK, false },
	BEGINS("!<arch>", "a package or a library", NULL),
	BEGINS("\x7f"
	       "ELF",
	    "a program", NULL),
	BEGINS("MZ", "a Windows program", NULL),
	BEGINS("#!", "a script", NULL),
	BEGINS("\xd0\xcf\x11\xe0", "a saved Outlook message or an old office document",
	    SAVE_ATTACHMENT),
	BEGINS("ElfFile", "a Windows event log", "kmsctl relay import is for event logs"),
	BEGINS("-----BEGIN PGP", "a PGP message, key or signature",
	    "kmsd uses minisign: ask the publisher for the .minisig files"),
	BEGINS("-----BEGIN", "a certificate or key for TLS", "kmsd uses no such file"),
	BEGINS("{\\rtf", "a text document (RTF)", SAVE_AS_SENT),
	BEGINS("version https://git-lfs", "a pointer of Git LFS, not the file itself",
	    "fetch the file with git lfs pull"),
	BEGINS("SQLite format 3", "a database (SQLite)", NULL),
	{ "\xde\xc0\xef\xbe", 16, 4, "a database (LMDB), as a ledger's index or a register", NULL,
	    false },
#undef BEGINS
#undef SECRET
};

/* Text by its beginning, whatever the case of its letters. */
static const struct {
	const char *begins, *what, *advice;
} texts[] = {
	{ "<!doctype html", "a web page", SAVE_AS_SENT },
	{ "<html", "a web page", SAVE_AS_SENT },
	{ "<head", "a web page", SAVE_AS_SENT },
	{ "<?xml", "an XML file", NULL },
	{ "<svg", "a picture (SVG)", TYPE_CODE },
	{ "{", "a JSON file", NULL },
	{ "return-path:", "a saved mail", SAVE_ATTACHMENT },
	{ "received:", "a saved mail", SAVE_ATTACHMENT },
	{ "delivered-to:", "a saved mail", SAVE_ATTACHMENT },
	{ "mime-version:", "a saved mail", SAVE_ATTACHMENT },
	{ "message-id:", "a saved mail", SAVE_ATTACHMENT },
	{ "subject:", "a saved mail", SAVE_ATTACHMENT },
	{ "from ", "a saved mail", SAVE_ATTACHMENT },
	{ "from:", "a saved mail", SAVE_ATTACHMENT },
	{ "date:", "a saved mail", SAVE_ATTACHMENT },
};

static void
other(struct recognised *out, const char *what, const char *advice)
{
	*out = (struct recognised){ .kind = SENT_OTHER, .what = what, .advice = advice };
}

static bool
by_first_bytes(struct recognised *out, const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (len >= formats[i].at + formats[i].len &&
		    memcmp(text + formats[i].at, formats[i].magic, formats[i].len) == 0) {
			other(out, formats[i].what, formats[i].advice);
			out->secret = formats[i].secret;
			return true;
		}
	return false;
}

/* Does any line begin with this? */
static bool
has_line(const char *text, const char *begins)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, begins, strlen(begins)) == 0)
			return true;
	}
	return false;
}

static bool
by_section(struct recognised *out, const char *text)
{
	static const char *const ini[] = { "[publisher ", "[listen]", "[firewall]", "[relay]",
		"[ledger]", "[limits]", "[sandbox]", "[kms]" };
	enum publisher_file_kind file = publisher_file_guess(text);

	if (file != FILE_KINDS) {
		*out = (struct recognised){
			.kind = SENT_SIGNED, .file = file, .what = publisher_file_name(file)
		};
		return true;
	}
	if (has_line(text, "[confirmation-request]")) {
		*out = (struct recognised){ .kind = SENT_REQUEST,
			.what = "a request (.kmsreq)",
			.advice = "it goes to the publisher, whose answer is a .kmscert" };
		return true;
	}
	for (size_t i = 0; i < sizeof(ini) / sizeof(ini[0]); i++)
		if (has_line(text, ini[i])) {
			*out = (struct recognised){ .kind = SENT_INI,
				.what = "an ini file of kmsd",
				.advice = "use it with -c FILE, or as /etc/kms/kms.ini" };
			return true;
		}
	return false;
}

/*
 * minisign's files begin with a comment; the length of the base64 line after it tells a public
 * key (42 bytes), a signature (74) and a secret key (158) apart. A public key may be that line
 * alone.
 */
static bool
by_minisign(struct recognised *out, const char *text)
{
	static const char comment[] = "untrusted comment:";
	const char *line = text;
	struct minisig_key key;
	size_t n;

	if (minisig_key_parse(&key, text) == KMS_OK) {
		*out = (struct recognised){ .kind = SENT_PUBLIC_KEY,
			.what = "a publisher's public key" };
		return true;
	}
	if (strncmp(text, comment, sizeof(comment) - 1) == 0 && (line = strchr(text, '\n')) != NULL)
		line++;
	if (line == NULL)
		return false;
	n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");
	if (n == 212) {
		other(out, "a publisher's secret key",
		    "it must never leave the publisher: delete it, and tell the publisher, who must now change the key (kmsissue rotate)");
		out->secret = true;
	} else if (n == 100 && line != text) {
		*out = (struct recognised){ .kind = SENT_SIGNATURE,
			.what = "a signature (.minisig)",
			.advice = "put it beside the file that it signs" };
	} else if (line != text) {
		other(out, "a damaged file of minisign", SAVE_AS_SENT);
	}
	return line != text || n == 212;
}

/* Groups of five characters with digits or capitals: "fives three eight" is no code. */
static bool
by_code(struct recognised *out, const char *text)
{
	const char *first = text + strspn(text, "- \t\r\n");
	size_t group = strcspn(first, "- \t\r\n");

	if (!code_looks_like(text) || group != CODE_GROUP || strlen(first) < 10 * CODE_GROUP)
		return false;
	if (*first == CODE_HOST_KEY || *first == (CODE_HOST_KEY | 0x20))
		*out =
		    (struct recognised){ .kind = SENT_KEY_CODE, .what = "the code of a host key" };
	else if (*first == CODE_CONFIRMATION || *first == (CODE_CONFIRMATION | 0x20))
		*out = (struct recognised){ .kind = SENT_CONFIRMATION_CODE,
			.what = "the code of a confirmation" };
	else
		other(out, "a code, but not of a host key or a confirmation",
		    "ask the publisher what it is");
	return true;
}

/* Nine groups of seven digits and nothing else. */
static bool
is_installation_id(const char *text)
{
	size_t digits = 0;

	for (; *text != '\0'; text++) {
		if (*text >= '0' && *text <= '9')
			digits++;
		else if (strchr("- \t\r\n", *text) == NULL)
			return false;
	}
	return digits == 63;
}

static bool
by_text(struct recognised *out, const char *text, size_t len)
{
	const char *first = text + strspn(text, " \t\r\n");

	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		other(out, "text in UTF-16, as Windows editors save it",
		    "the signature is valid only for the original bytes: ask for the file itself");
		return true;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strncasecmp(first, texts[i].begins, strlen(texts[i].begins)) == 0) {
			other(out, texts[i].what, texts[i].advice);
			return true;
		}
	return false;
}

void
recognise(struct recognised *out, const char *text, size_t len)
{
	if (len == 0)
		other(out, "an empty file", SAVE_AS_SENT);
	else if (by_first_bytes(out, text, len) || by_minisign(out, text) ||
		 by_text(out, text, len) || by_section(out, text))
		;
	else if (is_installation_id(text))
		other(out, "an installation id", "it goes to the publisher, who answers it");
	else if (by_code(out, text))
		;
	else if (memchr(text, '\0', len) != NULL)
		other(out, "a file of an unknown kind", NULL);
	else
		other(out, "a text that kmsd does not use", NULL);
}
