/*
 * own_name.h - the name, or address, under which the other hosts of a share reach this machine.
 */
#ifndef KMSCTL_SHARE_OWN_NAME_H
#define KMSCTL_SHARE_OWN_NAME_H

#include "kmsd/common/config.h"
#include "libkms/base/fault.h"

#define SHARE_HOST_MAX 64 /* bytes of a host's name, as [share] members takes them */

/* A name or an address without a port, in lower case, into out. KMS_E_ARGUMENT. */
int share_host_read(char out[DNS_NAME], const char *text, struct fault *f);
/* Has it an address? KMS_E_NO_HOST: none; *own: one of them is this machine's. */
int share_host_look_up(const char *host, bool *own, struct fault *f);

#endif
