/*
 * ctl.c - what commands share: saying that something failed, asking the host, files, the ledger.
 */
#include <sys/stat.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/ctl.h"
#include "kmsdb/kmsdb.h"
#include "libkms/kms_error.h"
#include "policy/pack.h"

#define SIGNATURE_MAX 4096 /* octets of a .minisig file */

static void
fail_json(struct ctl *ctl, const struct kms_error *e, uint32_t status, const char *message)
{
	char code[11];

	output_end(ctl->out);
	output_object(ctl->out, "error", NULL);
	output_number(ctl->out, "status", NULL, status);
	output_text(ctl->out, "symbol", NULL, e->symbol);
	snprintf(code, sizeof code, "0x%08" PRIX32, e->microsoft);
	output_text(ctl->out, "microsoft", NULL, e->microsoft ? code : NULL);
	output_text(ctl->out, "meaning", NULL, e->meaning);
	output_text(ctl->out, "remedy", NULL, e->remedy);
	output_text(ctl->out, "message", NULL, message);
	output_end(ctl->out);
}

static void
fail_text(struct ctl *ctl, const struct kms_error *e, uint32_t status, const char *message)
{
	char *safe = output_printable(message, false);

	output_end(ctl->out);
	fflush(ctl->out->file);
	fprintf(stderr, "kmsctl: %s\n", safe != NULL ? safe : e->meaning);
	fprintf(stderr, "  %s (%" PRIu32, e->symbol, status);
	if (e->microsoft != 0)
		fprintf(stderr, ", Microsoft 0x%08" PRIX32, e->microsoft);
	fprintf(stderr, "): %s\n  %s\n", e->meaning, e->remedy);
	free(safe);
}

int
ctl_fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
{
	const struct kms_error *e = kms_error_find(status);
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	if (ctl->json)
		fail_json(ctl, e, status, message);
	else
		fail_text(ctl, e, status, message);
	return status == KMS_E_NOT_RUNNING ? CTL_DOWN : CTL_FAILED;
}

int
ctl_load_config(struct ctl *ctl)
{
	struct config_error error;
	char *text = NULL;
	unsigned errors;
	size_t len;
	int e;

	config_defaults(&ctl->config);
	e = config_read_file(ctl->config_path, &text, &len);
	if (e == KMS_E_NOT_FOUND && !ctl->config_given)
		return CTL_OK; /* defaults are a configuration */
	if (e != KMS_OK)
		return ctl_fail(ctl, e, "%s: cannot be read: %s", ctl->config_path,
		    e == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)e));
	errors = config_parse(&ctl->config, text, len, &error, 1);
	free(text);
	if (errors == 0)
		return CTL_OK;
	return ctl_fail(ctl, KMS_E_CONFIG, "%s:%d: %s (%u error%s: see kmsctl config check)",
	    ctl->config_path, error.line, error.text, errors, errors == 1 ? "" : "s");
}

void
ctl_socket(const struct ctl *ctl, char out[256])
{
	if (ctl->socket != NULL)
		snprintf(out, 256, "%s", ctl->socket);
	else
		snprintf(out, 256, "%s/control.sock", ctl->config.runtime_directory);
}

/* What a failed exchange means, for a person. */
static void
explain_call(int e, const char *socket, int timeout_ms, char why[512])
{
	switch (e) {
	case KMS_E_NOT_RUNNING:
		snprintf(why, 512, "kmsd is not running: nobody answers on %s", socket);
		break;
	case KMS_E_DENIED:
		snprintf(why, 512,
		    "not allowed to use %s: be root, the daemon's user or in the control group",
		    socket);
		break;
	case KMS_E_TIMEOUT:
		snprintf(
		    why, 512, "%s: no whole answer within %d seconds", socket, timeout_ms / 1000);
		break;
	case KMS_E_PEER:
		snprintf(why, 512, "%s: the host closed the connection without an answer", socket);
		break;
	case KMS_E_TRUNCATED:
		snprintf(why, 512, "%s: the answer was cut short", socket);
		break;
	case KMS_E_TRAILING:
		snprintf(why, 512, "%s: octets follow the answer", socket);
		break;
	case KMS_E_TOO_LARGE:
		snprintf(why, 512, "%s: the message is longer than %d octets", socket, CONTROL_MAX);
		break;
	case KMS_E_FORMAT:
		snprintf(why, 512, "%s: the answer is malformed", socket);
		break;
	case KMS_E_ARGUMENT:
		snprintf(why, 512, "%s: the path is too long for a socket", socket);
		break;
	default:
		snprintf(why, 512, "%s: %s", socket,
		    e == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)e));
	}
}

uint32_t
ctl_ask_quietly(
    struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply, char why[512])
{
	char socket[256], where[256] = "";
	const char *message;
	uint8_t *data;
	uint32_t status;
	size_t len;
	int e;

	memset(reply, 0, sizeof *reply);
	ctl_socket(ctl, socket);
	e = control_call(socket, verb, args, ctl->timeout_ms, &status, &data, &len);
	if (e != KMS_OK) {
		explain_call(e, socket, ctl->timeout_ms, why);
		return (uint32_t)e;
	}
	e = reply_read(reply, data, len, where);
	free(data);
	if (e != KMS_OK) {
		snprintf(why, 512, "%.200s: the answer is malformed: %s", socket, where);
		reply_free(reply);
		return (uint32_t)e;
	}
	if (status == KMS_OK)
		return KMS_OK;
	message = reply_text(reply_next(reply, "error", NULL), "message");
	snprintf(
	    why, 512, "kmsd: %s", message != NULL && *message ? message : kms_strerror(status));
	reply_free(reply);
	return status;
}

int
ctl_ask(struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply)
{
	char why[512] = "";
	uint32_t status = ctl_ask_quietly(ctl, verb, args, reply, why);

	return status == KMS_OK ? CTL_OK : ctl_fail(ctl, status, "%s", why);
}

int
ctl_read_file(const char *path, size_t max, char **data, size_t *len)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int e = KMS_OK;
	ssize_t n = 1;

	*len = 0;
	*data = NULL;
	if (fd < 0)
		return errno == ENOENT   ? KMS_E_NOT_FOUND
		       : errno == EACCES ? KMS_E_DENIED
					 : KMS_E_IO;
	*data = malloc(max + 2);
	if (*data == NULL)
		e = KMS_E_NO_MEMORY;
	while (e == KMS_OK && n > 0 && *len <= max) {
		n = read(fd, *data + *len, max + 1 - *len);
		if (n > 0)
			*len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			e = KMS_E_IO;
	}
	if (e == KMS_OK && *len > max)
		e = KMS_E_TOO_LARGE;
	if (!standard)
		close(fd);
	if (e != KMS_OK) {
		free(*data);
		*data = NULL;
		return e;
	}
	(*data)[*len] = '\0';
	return KMS_OK;
}

static int
file_problem(struct ctl *ctl, int e, const char *path, const char *hint)
{
	return ctl_fail(ctl, (uint32_t)e, "%s: %s%s", path,
	    e == KMS_E_IO          ? strerror(errno)
	    : e == KMS_E_NOT_FOUND ? "no such file"
				   : kms_strerror((uint32_t)e),
	    hint);
}

/* From standard input both come in one text: the signature begins at its untrusted comment. */
static int
split_signed(struct ctl *ctl, char *text, size_t len, struct control_buf *args)
{
	static const char mark[] = "untrusted comment:";
	char *at = text;

	while (at != NULL && strncmp(at, mark, sizeof mark - 1) != 0) {
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL || at == text)
		return ctl_fail(ctl, KMS_E_SIGNATURE,
		    "standard input: the file and then its signature are due, in one text");
	control_octets(args, "file", text, (size_t)(at - text));
	control_octets(args, "signature", at, len - (size_t)(at - text));
	return CTL_OK;
}

int
ctl_read_signed(struct ctl *ctl, const char *path, struct control_buf *args)
{
	char *file = NULL, *signature = NULL, name[4096];
	size_t len, signature_len;
	int e, code;

	e = ctl_read_file(path, PACK_MAX, &file, &len);
	if (e != KMS_OK)
		return file_problem(ctl, e, path, "");
	if (strcmp(path, "-") == 0) {
		code = split_signed(ctl, file, len, args);
		goto out;
	}
	snprintf(name, sizeof name, "%s.minisig", path);
	e = ctl_read_file(name, SIGNATURE_MAX, &signature, &signature_len);
	if (e != KMS_OK) {
		code = file_problem(
		    ctl, e, name, ": the publisher's signature belongs beside the file");
		goto out;
	}
	control_octets(args, "file", file, len);
	control_octets(args, "signature", signature, signature_len);
	code = CTL_OK;
out:
	free(file);
	free(signature);
	return code;
}

/* Open first: its owner need not be able to go through the folders above. */
static int
open_state(struct ctl *ctl)
{
	int fd = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || geteuid() != 0)
		return fd;
	if ((fstatat(fd, "kmsdb", &st, AT_SYMLINK_NOFOLLOW) == 0 || fstat(fd, &st) == 0) &&
	    setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0)
		return fd;
	ctl_close(NULL, fd);
	errno = EPERM;
	return -1;
}

void
ctl_close(struct kmsdb *db, int fd)
{
	kmsdb_close(db);
	if (fd >= 0)
		close(fd);
	/* Both fail for those who never were root, and there is nothing to take back. */
	if (getuid() == 0 && (seteuid(0) != 0 || setegid(getgid()) != 0))
		abort();
}

int
ctl_state_directory(struct ctl *ctl)
{
	int fd = open_state(ctl), error = errno;

	if (fd < 0)
		ctl_fail(ctl,
		    error == ENOENT   ? KMS_E_NOT_FOUND
		    : error == EACCES ? KMS_E_DENIED
				      : KMS_E_IO,
		    "%s: %s", ctl->config.state_directory, strerror(error));
	return fd;
}

int
ctl_open_ledger(struct ctl *ctl, struct kmsdb **db, char why[256])
{
	struct kmsdb_options opt = { .read_only = true, .map_size = ctl->config.map_size };
	int fd = open_state(ctl), e;

	*db = NULL;
	if (fd < 0) {
		snprintf(why, 256, "%.180s: %s", ctl->config.state_directory, strerror(errno));
		return errno == ENOENT   ? KMS_E_NOT_FOUND
		       : errno == EACCES ? KMS_E_DENIED
					 : KMS_E_IO;
	}
	why[0] = '\0';
	e = kmsdb_open(db, fd, &opt, why);
	if (e != KMS_OK && why[0] == '\0')
		snprintf(why, 256, "%.180s/kmsdb: %s", ctl->config.state_directory,
		    kms_strerror((uint32_t)e));
	close(fd);
	if (e != KMS_OK)
		ctl_close(NULL, -1);
	return e;
}

void
ctl_hex(char *out, const uint8_t *octets, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		*out++ = digits[octets[i] >> 4];
		*out++ = digits[octets[i] & 15];
	}
	*out = '\0';
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
ctl_unhex(uint8_t *out, size_t len, const char *text)
{
	size_t i;

	if (strlen(text) != 2 * len)
		return false;
	for (i = 0; i < len; i++) {
		if (digit(text[2 * i]) < 0 || digit(text[2 * i + 1]) < 0)
			return false;
		out[i] = (uint8_t)(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
	}
	return true;
}

void
ctl_uuid(char out[37], const uint8_t id[16])
{
	static const size_t octets[] = { 4, 2, 2, 2, 6 };
	size_t i, at = 0;

	for (i = 0; i < 5; i++) {
		ctl_hex(out, id + at, octets[i]);
		out += 2 * octets[i];
		at += octets[i];
		if (i < 4)
			*out++ = '-';
	}
}

void
ctl_address(char out[64], const uint8_t address[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	static const uint8_t zero[16];

	if (memcmp(address, zero, 16) == 0)
		snprintf(out, 64, "-");
	else if (memcmp(address, mapped, 12) == 0)
		inet_ntop(AF_INET, address + 12, out, 64);
	else
		inet_ntop(AF_INET6, address, out, 64);
}
