/*
 * kmsclient - activate a product from the command line, through libkms's public
 * interface and nothing else. kmsclient(1).
 */
#include <stdlib.h>

#include "libkms/kmsclient/tool.h"

int
main(int argc, char **argv)
{
	struct tool t = { .options = { .size = sizeof(t.options), .virtual_machine = -1 } };
	bool done = false;
	int written, rc = tool_options(&t, argc, argv, &done);

	if (rc == TOOL_OK && !done) {
		rc = tool_find(t.command)->run(&t);
		written = tool_flush(&t);
		if (written != TOOL_OK)
			rc = written;
	}
	json_decref(t.object);
	free(t.key_text);
	return rc;
}
