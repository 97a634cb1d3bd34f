/*
 * update.h - RFC 2136 updates, by nsupdate.
 */
#ifndef KMSCTL_DNS_UPDATE_H
#define KMSCTL_DNS_UPDATE_H

#include "kmsctl/dns/records.h"
#include "libkms/base/fault.h"

/*
 * One transaction for one name: what of gone it has goes, what of due it has comes; no other
 * record of the name is touched. KMS_OK, or why it was not done.
 */
int update_name(const struct config *c, const char *name, const struct records *due,
    const struct records *gone, int timeout_ms, struct fault *f);

#endif
