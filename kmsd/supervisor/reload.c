/*
 * reload.c - read the ini file, at the start and on SIGHUP. A file with errors changes nothing.
 */
#include "kmsd/supervisor/reload.h"

#include <inttypes.h>
#include <stdio.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/log.h"
#include "kmsd/supervisor/notify.h"
#include "kmsd/supervisor/resolve.h"
#include "kmsd/supervisor/share_child.h"
#include "kmsd/supervisor/spawn.h"

#define FAULTS 20

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
read_config(const char *path, struct config *c, bool to_stderr)
{
	struct fault faults[FAULTS];
	unsigned n = config_load(c, path, faults, FAULTS);
	char more[64];

	for (unsigned i = 0; i < n && i < FAULTS; i++)
		say(to_stderr, path, faults[i].line, faults[i].text);
	if (n > FAULTS) {
		snprintf(more, sizeof(more), "%u more errors", n - FAULTS);
		say(to_stderr, path, 0, more);
	}
	return n == 0;
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
	if (c->pid != 0)
		send_config(s, c, IPC_RELOAD);
}

/*
 * Takes what can change now; other changed keys keep their old values, and are reported at the
 * next reload too.
 */
static void
take_over(struct supervisor *s, const struct config *fresh)
{
	struct child *c;

	name_restart_keys(s, fresh);
	config_reload(&s->config, fresh);
	log_level((int)s->config.log_level);
	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++)
		send_reload(s, c);
	resolve_now(s);
	share_reload(s);
	log_event(LOG_NOTICE, "config-reloaded", "%s", s->ini_path);
}

void
reload(struct supervisor *s)
{
	struct config fresh;

	if (s->phase >= PHASE_STOPPING_FRONTS)
		return;
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", clock_us());
	if (read_config(s->ini_path, &fresh, false))
		take_over(s, &fresh);
	else
		log_event(LOG_ERR, "config-kept",
		    "%s has errors: kmsd continues with the old settings", s->ini_path);
	notify("READY=1\n");
}
