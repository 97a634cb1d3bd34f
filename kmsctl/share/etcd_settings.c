/*
 * etcd_settings.c - see etcd_settings.h.
 */
#include "kmsctl/share/etcd_settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/share/certify.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

/* The first line, by which the file is known again. */
static void
mark(char out[96], const char *share)
{
	snprintf(out, 96, "# etcd of the share %s, written by kmsctl share.\n", share);
}

const char *
etcd_url(char out[288], const char *host, unsigned port)
{
	snprintf(
	    out, 288, strchr(host, ':') != NULL ? "https://[%s]:%u" : "https://%s:%u", host, port);
	return out;
}

const char *
etcd_data(char out[96], const char *share)
{
	snprintf(out, 96, "/var/lib/etcd/kms-%s", share);
	return out;
}

static void
write_tls(FILE *f, const char *directory, const char *prefix, const char *authority)
{
	fprintf(f, "ETCD_%sCLIENT_CERT_AUTH=true\n", prefix);
	fprintf(f, "ETCD_%sTRUSTED_CA_FILE=%s/%s\n", prefix, directory, authority);
	fprintf(f, "ETCD_%sCERT_FILE=%s/etcd.pem\n", prefix, directory);
	fprintf(f, "ETCD_%sKEY_FILE=%s/etcd.key\n", prefix, directory);
}

char *
etcd_settings_text(const struct etcd_settings *s)
{
	char first[96], url[288], data[96], peer[96], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	mark(first, s->share);
	fprintf(f, "%s# kmsctl-share(8) says how members come and go.\n", first);
	fprintf(f, "ETCD_NAME=%s\nETCD_DATA_DIR=%s\n", s->host, etcd_data(data, s->share));
	fprintf(f, "ETCD_INITIAL_CLUSTER=%s\n", s->cluster);
	fprintf(f, "ETCD_INITIAL_CLUSTER_STATE=%s\n", s->joins ? "existing" : "new");
	fprintf(f, "ETCD_INITIAL_CLUSTER_TOKEN=kms-%s\n", s->share);
	/* Both families: etcd's listener at 0.0.0.0 has IPv6, too. */
	fprintf(f, "ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:%d\n", ETCD_CLIENT_PORT);
	fprintf(f, "ETCD_ADVERTISE_CLIENT_URLS=%s\n", etcd_url(url, s->host, ETCD_CLIENT_PORT));
	fprintf(f, "ETCD_LISTEN_PEER_URLS=https://0.0.0.0:%d\n", ETCD_PEER_PORT);
	fprintf(f, "ETCD_INITIAL_ADVERTISE_PEER_URLS=%s\n", etcd_url(url, s->host, ETCD_PEER_PORT));
	write_tls(f, s->directory, "", "authority.pem");
	write_tls(f, s->directory, "PEER_", "authority.pem");
	/*
	 * A peer is known by the share's own name in its certificate. The other check, that it
	 * comes from the address of its name, would look up DNS at each connection.
	 */
	fprintf(f, "ETCD_PEER_CERT_ALLOWED_HOSTNAME=%s\n", certify_peer_name(peer, s->share));
	fputs("ETCD_EXPERIMENTAL_PEER_SKIP_CLIENT_SAN_VERIFICATION=true\n"
	      "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK=true\n"
	      /* Each beat replaces the one before, which would be kept for ever. */
	      "ETCD_AUTO_COMPACTION_MODE=periodic\nETCD_AUTO_COMPACTION_RETENTION=1h\n"
	      "ETCD_LOGGER=zap\n",
	    f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

enum etcd_settings_kind
etcd_settings_judge(const char *text, const char *share)
{
	char first[96];

	mark(first, share);
	if (strncmp(text, first, strlen(first)) == 0)
		return ETCD_SETTINGS_SHARE;
	for (const char *line = text; *line != '\0'; line += line[0] == '\n') {
		const char *at = line + strspn(line, " \t\r");

		if (*at != '#' && *at != '\n' && *at != '\0')
			return ETCD_SETTINGS_OTHER;
		line = at + strcspn(at, "\n");
	}
	return ETCD_SETTINGS_NONE;
}

int
etcd_settings_look(
    enum etcd_settings_kind *kind, const char *root, const char *share, struct fault *f)
{
	char path[FILE_PATH_MAX], *text;
	size_t len;
	int rc;

	snprintf(path, sizeof(path), "%s%s", root, ETCD_SETTINGS);
	rc = file_read(AT_FDCWD, path, FILE_GIVEN, ETCD_SETTINGS_MAX, &text, &len);
	*kind = ETCD_SETTINGS_NONE;
	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return fault_set(f, rc, "%s: cannot be read", path);
	*kind = etcd_settings_judge(text, share);
	free(text);
	return KMS_OK;
}
