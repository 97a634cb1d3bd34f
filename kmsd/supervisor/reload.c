/*
 * reload.c - read the ini file, at the start and on SIGHUP. A file with errors changes nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/ipc/ipc.h"
#include "kmsd/supervisor/supervisor.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define ERRORS 20

/* One line for each error, in a compiler's format with -n. */
static void
say(bool to_stderr, const char *path, int line, const char *text)
{
	char where[16] = "";

	if (line > 0)
		snprintf(where, sizeof(where), ":%d", line);
	if (to_stderr)
		fprintf(stderr, "kmsd: %s%s: %s\n", path, where, text);
	else
		log_event(LOG_ERR, "config-error", "%s%s: %s", path, where, text);
}

bool
read_config(const char *path, struct config *c, char **text, size_t *len, bool to_stderr)
{
	struct config_error errors[ERRORS];
	char more[64];
	unsigned i, n;
	int rc;

	rc = config_read_file(path, text, len);
	if (rc != KMS_OK) {
		say(to_stderr, path, 0, rc == KMS_E_TOO_LARGE ? kms_strerror(rc) : strerror(errno));
		return false;
	}
	n = config_parse(c, *text, *len, errors, ERRORS);
	for (i = 0; i < n && i < ERRORS; i++)
		say(to_stderr, path, errors[i].line, errors[i].text);
	if (n > ERRORS) {
		snprintf(more, sizeof(more), "%u more errors", n - ERRORS);
		say(to_stderr, path, 0, more);
	}
	if (n == 0)
		return true;
	free(*text);
	*text = NULL;
	return false;
}

static void
name_restart_keys(const struct supervisor *s, const struct config *fresh)
{
	const struct config_key *k;

	for (k = config_schema(); k->section != NULL; k++)
		if (k->restart && config_differs(k, &s->config, fresh))
			log_event(LOG_WARNING, "config-restart-needed",
			    "[%s] %s has changed: it takes effect when kmsd is restarted",
			    k->section, k->key);
}

static void
send_reload(struct supervisor *s, struct child *c)
{
	int fd;

	if (c->pid == 0)
		return;
	fd = ini_descriptor(s);
	if (fd == -1) {
		log_event(LOG_ERR, "config-error", "memfd_create: %s", strerror(errno));
		return;
	}
	child_send(c, IPC_RELOAD, 0, fd);
	close(fd);
}

void
reload(struct supervisor *s)
{
	struct config fresh;
	char *text;
	size_t len;
	unsigned i;

	if (s->phase >= PHASE_STOPPING_FRONTS)
		return;
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", clock_us());
	if (read_config(s->ini_path, &fresh, &text, &len, false)) {
		free(s->ini_text);
		s->ini_text = text;
		s->ini_len = len;
		name_restart_keys(s, &fresh);
		/*
		 * Takes what can change now; other changed keys keep their old values, and are
		 * reported at the next reload too.
		 */
		s->config.log_level = fresh.log_level;
		s->config.relay_resolve_interval = fresh.relay_resolve_interval;
		log_level(fresh.log_level);
		send_reload(s, &s->activate);
		for (i = 0; i < s->config.fronts; i++)
			send_reload(s, &s->fronts[i]);
		resolve_now(s);
		log_event(LOG_NOTICE, "config-reloaded", "%s", s->ini_path);
	} else {
		log_event(LOG_ERR, "config-kept",
		    "%s has errors: kmsd continues with the old settings", s->ini_path);
	}
	notify("READY=1\n");
}
