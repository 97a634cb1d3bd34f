/*
 * hold.c - has the lock of a file, as a process that asks a host has FILE.lock, until its standard
 * input ends.
 */
#include <stdio.h>

#include "libkms/os/lock_file.h"
#include "libkms/os/terminal.h"

int
main(int argc, char **argv)
{
	if (!os_program_start(&argc, &argv) || argc != 2 || os_lock(argv[1]) == OS_NO_LOCK) {
		printf("not locked\n");
		return 1;
	}
	printf("locked\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
