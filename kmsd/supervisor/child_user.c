/*
 * child_user.c - see child_user.h.
 */
#include "kmsd/supervisor/child_user.h"

#include <pwd.h>
#include <unistd.h>

#include "kmsd/common/confine.h"
#include "kmsd/common/log.h"

bool
user_may_be_missing(const struct supervisor *s)
{
	return !s->config.sandbox_required || (s->config.allow_missing & CONFINE_UID) != 0;
}

bool
has_child_user(const struct supervisor *s, const char *user, const char *program, const char *event)
{
	if (geteuid() != 0 || getpwnam(user) != NULL || user_may_be_missing(s))
		return true;
	log_event(LOG_ERR, event, "there is no user %s for %s: run kmsctl apply, then restart kmsd",
	    user, program);
	return false;
}
