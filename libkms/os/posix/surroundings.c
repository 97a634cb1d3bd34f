/*
 * surroundings.c - see surroundings.h.
 */
#include "libkms/os/surroundings.h"

#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

const char *
os_environment(const char *name)
{
	return secure_getenv(name);
}

bool
os_host_name(char *out, size_t size)
{
	out[size - 1] = '\0';
	return gethostname(out, size - 1) == 0;
}

/* As setlocale set it: the library itself changes nothing of the program. */
const char *
os_language(void)
{
	return setlocale(LC_MESSAGES, NULL);
}

void
os_sleep(int ms)
{
	(void)poll(NULL, 0, ms);
}
