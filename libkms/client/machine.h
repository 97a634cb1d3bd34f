/*
 * machine.h - does this run on a virtual machine or in a container, and which machine is it? Hints
 * for the host's rules, not a security boundary: the owner of the machine can make them say
 * anything.
 */
#ifndef KMS_LIBKMS_CLIENT_MACHINE_H
#define KMS_LIBKMS_CLIENT_MACHINE_H

#include <stdbool.h>

/* Looks below root ("" for the real one), so that tests can show it any machine. */
bool machine_is_virtual(const char *root);

#define MACHINE_ID 32 /* characters */
/*
 * The id of machine-id(5), below root. False: this machine has none, as an image that is to get one
 * at its first boot.
 */
bool machine_id(char out[MACHINE_ID + 1], const char *root);

#endif
