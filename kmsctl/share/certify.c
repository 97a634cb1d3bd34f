/*
 * certify.c - see certify.h.
 */
#include "kmsctl/share/certify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/program.h"
#include "libkms/kms_error.h"

#define OPENSSL_MS 30000

/* The key is in what it prints or is given. */
static void
wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
}

/* The last line of what it said: the ones before have a thread's number and a source file. */
static void
told(struct fault *f, int rc, const struct child *c)
{
	const char *text = c->err, *last = text;

	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n")) {
		line += strspn(line, "\n");
		if (*line != '\0')
			last = line;
	}
	fault_set(f, rc, "openssl: %.*s", (int)strcspn(last, "\n"), last);
}

/* *out: what it printed, malloc'd. */
static int
openssl(char **out, const char *const argv[], const char *input, struct fault *f)
{
	struct child c;
	int rc = child_run(&c, argv, input, OPENSSL_MS);

	*out = NULL;
	if (rc != KMS_OK)
		return fault_set(f, rc, "openssl: %s", kms_strerror((uint32_t)rc));
	if (c.exit == CHILD_NOT_THERE)
		rc = fault_set(f, KMS_E_NOT_FOUND, "openssl is not installed: apt install openssl");
	else if (c.exit != 0)
		told(f, rc = KMS_E_IO, &c);
	else if ((*out = strdup(c.out)) == NULL)
		rc = fault_set(f, KMS_E_NO_MEMORY, NULL);
	wipe(c.out);
	child_free(&c);
	return rc;
}

static int
make_key(char **key, struct fault *f)
{
	static const char *const argv[] = { "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
		"ec_paramgen_curve:P-256", NULL };

	return openssl(key, argv, NULL, f);
}

int
certify_authority(struct certified *out, const char *share, struct fault *f)
{
	char subject[96], days[16];
	const char *const argv[] = { "openssl", "req", "-x509", "-new", "-key", "/dev/stdin",
		"-config", "/dev/null", "-subj", subject, "-days", days, "-addext",
		"basicConstraints=critical,CA:TRUE,pathlen:0", "-addext",
		"keyUsage=critical,keyCertSign", NULL };
	int rc;

	memset(out, 0, sizeof(*out));
	snprintf(subject, sizeof(subject), "/CN=kmsd share %s", share);
	snprintf(days, sizeof(days), "%d", CERTIFY_AUTHORITY_DAYS);
	rc = make_key(&out->key, f);
	return rc == KMS_OK ? openssl(&out->certificate, argv, out->key, f) : rc;
}

const char *
certify_peer_name(char out[96], const char *share)
{
	snprintf(out, 96, "etcd.%s.kms.invalid", share);
	return out;
}

/* An address is another kind of name in a certificate. */
static bool
is_address(const char *host)
{
	return strchr(host, ':') != NULL || host[strspn(host, "0123456789.")] == '\0';
}

int
certify_host(struct certified *out, const char *authority, const char *authority_key,
    const char *share, const char *host, enum certify_use use, struct fault *f)
{
	char names[512], days[16], peer[96];
	const char *uses = use == CERTIFY_ETCD ? "extendedKeyUsage=serverAuth,clientAuth"
					       : "extendedKeyUsage=clientAuth";
	const char *const argv[] = { "openssl", "req", "-x509", "-new", "-key", "/dev/stdin",
		"-config", "/dev/null", "-CA", authority, "-CAkey", authority_key, "-subj", "/",
		"-days", days, "-addext", names, "-addext", uses, "-addext",
		"basicConstraints=critical,CA:FALSE", "-addext",
		"keyUsage=critical,digitalSignature", NULL };
	int rc;

	memset(out, 0, sizeof(*out));
	snprintf(days, sizeof(days), "%d", CERTIFY_HOST_DAYS);
	snprintf(names, sizeof(names), "subjectAltName=critical,%s:%s%s%s",
	    is_address(host) ? "IP" : "DNS", host, use == CERTIFY_ETCD ? ",DNS:" : "",
	    use == CERTIFY_ETCD ? certify_peer_name(peer, share) : "");
	rc = make_key(&out->key, f);
	return rc == KMS_OK ? openssl(&out->certificate, argv, out->key, f) : rc;
}

void
certified_free(struct certified *c)
{
	wipe(c->key);
	free(c->key);
	free(c->certificate);
	memset(c, 0, sizeof(*c));
}

/* -- judging -- */

/* openssl verify says it in words of its own. */
static int
not_verified(const char *certificate, const char *said, struct fault *f)
{
	if (strstr(said, "has expired") != NULL)
		return fault_set(
		    f, KMS_E_KEY_EXPIRED, "the certificate %s has expired", certificate);
	if (strstr(said, "not yet valid") != NULL)
		return fault_set(f, KMS_E_KEY_EXPIRED,
		    "the certificate %s is not valid yet: is this machine's clock right?",
		    certificate);
	return fault_set(f, KMS_E_SIGNATURE,
	    "the certificate %s is not from the authority of this share", certificate);
}

static int
verify(const char *authority, const char *certificate, struct fault *f)
{
	const char *const argv[] = { "openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile",
		authority, certificate, NULL };
	struct child c;
	int rc = child_run(&c, argv, NULL, OPENSSL_MS);

	if (rc != KMS_OK)
		return fault_set(f, rc, "openssl: %s", kms_strerror((uint32_t)rc));
	if (c.exit == CHILD_NOT_THERE)
		rc = fault_set(f, KMS_E_NOT_FOUND, "openssl is not installed: apt install openssl");
	else if (c.exit != 0)
		rc = not_verified(certificate, c.err, f);
	child_free(&c);
	return rc;
}

int
certify_check(const char *authority, const char *certificate, const char *key, struct fault *f)
{
	const char *const of_certificate[] = { "openssl", "x509", "-in", certificate, "-noout",
		"-pubkey", NULL };
	const char *const of_key[] = { "openssl", "pkey", "-in", key, "-pubout", NULL };
	char *one = NULL, *other = NULL;
	int rc = verify(authority, certificate, f);

	if (rc == KMS_OK)
		rc = openssl(&one, of_certificate, NULL, f);
	if (rc == KMS_OK)
		rc = openssl(&other, of_key, NULL, f);
	if (rc == KMS_OK && strcmp(one, other) != 0)
		rc = fault_set(f, KMS_E_SIGNATURE,
		    "the key %s does not belong to the certificate %s", key, certificate);
	free(one);
	free(other);
	return rc;
}

int
certify_is_of(const char *authority, const char *share, struct fault *f)
{
	const char *const argv[] = { "openssl", "x509", "-in", authority, "-noout", "-subject",
		"-nameopt", "RFC2253", NULL };
	char wanted[96], *text;
	int rc = openssl(&text, argv, NULL, f);

	if (rc != KMS_OK)
		return rc;
	snprintf(wanted, sizeof(wanted), "subject=CN=kmsd share %s\n", share);
	if (strcmp(text, wanted) != 0)
		rc = fault_set(f, KMS_E_EXISTS,
		    "%s is of another share: this machine was in it. To leave it for good, move the directory and %s away",
		    authority, "/etc/default/etcd");
	free(text);
	return rc;
}

int
certify_end(const char *certificate, uint64_t *end, struct fault *f)
{
	const char *const argv[] = { "openssl", "x509", "-in", certificate, "-noout", "-enddate",
		"-dateopt", "iso_8601", NULL };
	struct tm t = { 0 };
	char *text;
	int rc = openssl(&text, argv, NULL, f);

	if (rc != KMS_OK)
		return rc;
	if (sscanf(text, "notAfter=%d-%d-%d %d:%d:%d", &t.tm_year, &t.tm_mon, &t.tm_mday,
		&t.tm_hour, &t.tm_min, &t.tm_sec) == 6) {
		t.tm_year -= 1900;
		t.tm_mon--;
		*end = (uint64_t)timegm(&t);
	} else {
		rc = fault_set(f, KMS_E_FORMAT, "openssl says no end of %s", certificate);
	}
	free(text);
	return rc;
}
