/*
 * front_user.c - see front_user.h.
 */
#include "kmsd/common/front_user.h"

#include <pwd.h>
#include <stddef.h>
#include <stdio.h>

bool
user_find(const char *name, unsigned *uid, unsigned *gid)
{
	struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		return false;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return true;
}

bool
front_user(const struct config *c, unsigned index, unsigned *uid, unsigned *gid)
{
	char own[sizeof(c->front_user) + 12];

	snprintf(own, sizeof(own), "%s%u", c->front_user, index);
	return (index > 0 && user_find(own, uid, gid)) || user_find(c->front_user, uid, gid);
}
