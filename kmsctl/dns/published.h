/*
 * published.h - which records this host has put into DNS: the file dns.published in the state
 * directory, a zone-file line for each. So what is taken away is what was put there, also after
 * kms.ini has changed.
 */
#ifndef KMSCTL_DNS_PUBLISHED_H
#define KMSCTL_DNS_PUBLISHED_H

#include "kmsctl/dns/records.h"
#include "kmsctl/kmsctl.h"

/* CTL_OK (no file: no record), or the exit code of what was said. */
int published_read(struct ctl *ctl, struct records *out);
/* Whole or not at all. */
int published_write(struct ctl *ctl, const struct records *set);
/* For those who only look: none when it cannot be read, which false says. */
bool published_glance(const struct ctl *ctl, struct records *out);

#endif
