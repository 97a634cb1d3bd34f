/*
 * published.h - which records this host has put into DNS: the file dns.published in the state
 * directory, a zone-file line for each. So exactly what was published is removed, even after
 * kms.ini has changed.
 */
#ifndef KMSCTL_DNS_PUBLISHED_H
#define KMSCTL_DNS_PUBLISHED_H

#include "kmsctl/dns/records.h"
#include "kmsctl/kmsctl.h"

/* CTL_OK (no file: no record), or the exit code of what was said. */
int published_read(struct ctl *ctl, struct records *out);
/* Completely or not at all. */
int published_write(struct ctl *ctl, const struct records *set);
/* For commands that only read: false, and no records, when it cannot be read. */
bool published_glance(const struct ctl *ctl, struct records *out);

#endif
