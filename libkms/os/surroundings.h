/*
 * surroundings.h - what a process finds around it: the environment, the machine's name, the user's
 * language; and to wait a moment.
 */
#ifndef KMS_LIBKMS_OS_SURROUNDINGS_H
#define KMS_LIBKMS_OS_SURROUNDINGS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * In UTF-8, malloc'd, as it is now. NULL: it is not set, or this program has the rights of another
 * user.
 */
char *os_environment(const char *name);
/* False: it has none. Cut at size - 1 bytes. */
bool os_host_name(char *out, size_t size);
/* As in a locale, "de_AT.UTF-8" or "de-AT"; NULL: nothing is known. */
const char *os_language(void);
void os_sleep(int ms);

#endif
