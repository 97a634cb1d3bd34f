/*
 * share_config.c - see share_config.h.
 */
#include "kmsd/common/share_config.h"

bool
share_has_names(const struct config *c)
{
	for (unsigned i = 0; share_configured(c) && i < c->share_members.count; i++)
		if (!c->share_members.at[i].literal)
			return true;
	return false;
}
