/*
 * update.h - RFC 2136 updates, by nsupdate.
 */
#ifndef KMSCTL_DNS_UPDATE_H
#define KMSCTL_DNS_UPDATE_H

#include "kmsctl/dns/records.h"
#include "libkms/base/fault.h"

/*
 * One transaction for one name: removes its records in gone, adds its records in due, and touches
 * no other record of the name. KMS_OK, or a status with why.
 */
int update_name(const struct config *c, const char *name, const struct records *due,
    const struct records *gone, int timeout_ms, struct fault *f);

#endif
