/*
 * port.c - see port.h. With port = 0 the system chooses: kmsd writes the port down, and the
 * activation process, which answers kmsctl, does not know it.
 */
#include "kmsctl/host/port.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "libkms/base/file.h"
#include "libkms/base/number.h"
#include "libkms/kms_error.h"

static uint64_t
chosen_port(const struct ctl *ctl)
{
	char path[256], *text;
	const char *at;
	uint64_t port = 0;
	size_t len;

	snprintf(path, sizeof(path), "%.200s/port", ctl->config.runtime_directory);
	if (file_read(AT_FDCWD, path, FILE_OURS, 16, &text, &len) != KMS_OK)
		return 0;
	at = text;
	number_prefix(&port, UINT16_MAX, &at);
	free(text);
	return port;
}

void
port_fill(struct ctl *ctl, struct reply *status)
{
	reply_replace_zero(status, "service", "port", chosen_port(ctl));
}

uint16_t
port_of_host(const struct ctl *ctl)
{
	uint64_t port = ctl->config.port != 0 ? ctl->config.port : chosen_port(ctl);

	return (uint16_t)port;
}
