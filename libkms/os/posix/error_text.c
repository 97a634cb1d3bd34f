/*
 * error_text.c - see error_text.h.
 */
#include "libkms/os/error_text.h"

#include <string.h>

const char *
os_error_text(int error)
{
	return strerror(error);
}
