/*
 * surroundings.c - see surroundings.h.
 */
#include "libkms/os/surroundings.h"

#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *
os_environment(const char *name)
{
	const char *text = secure_getenv(name);

	return text == NULL ? NULL : strdup(text);
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
