/*
 * share_config.h - what follows from several values of kms.ini's [share].
 */
#ifndef KMSD_COMMON_SHARE_CONFIG_H
#define KMSD_COMMON_SHARE_CONFIG_H

#include "kmsd/common/config.h"

/* Some of the members are given by names that must be resolved. */
bool share_has_names(const struct config *c);

#endif
