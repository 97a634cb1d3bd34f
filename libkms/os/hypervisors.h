/*
 * hypervisors.h - the names that hypervisors give to the machines they make.
 */
#ifndef KMS_LIBKMS_OS_HYPERVISORS_H
#define KMS_LIBKMS_OS_HYPERVISORS_H

#include <stdbool.h>

/* text: what the firmware calls itself, its vendor or its product. */
bool hypervisor_named(const char *text);

#endif
