/*
 * machine.h - does this run on a virtual machine or in a container? A hint for the host's counting
 * rule, not a security boundary: the owner of the machine can make it return anything.
 */
#ifndef KMS_LIBKMS_CLIENT_MACHINE_H
#define KMS_LIBKMS_CLIENT_MACHINE_H

#include <stdbool.h>

/* Looks below root ("" for the real one), so that tests can show it any machine. */
bool machine_is_virtual(const char *root);

#endif
