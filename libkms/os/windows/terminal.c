/*
 * terminal.c - see terminal.h.
 */
#include "libkms/os/terminal.h"

#include <io.h>
#include <stdlib.h>

#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

bool
os_program_start(int *argc, char ***argv)
{
	int count = 0;
	wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
	char **args = wide == NULL ? NULL : calloc((size_t)count + 1, sizeof(*args));

	if (args == NULL)
		return false;
	for (int i = 0; i < count; i++)
		if ((args[i] = wide_to(wide[i])) == NULL)
			return false;
	LocalFree(wide);
	(void)SetConsoleOutputCP(CP_UTF8);
	*argc = count;
	*argv = args;
	return true;
}

void (*os_survive_pipes(void))(int)
{
	return NULL; /* it does so anyway */
}

unsigned
os_terminal_columns(FILE *file)
{
	CONSOLE_SCREEN_BUFFER_INFO info;
	HANDLE h = (HANDLE)_get_osfhandle(_fileno(file));

	if (!GetConsoleScreenBufferInfo(h, &info))
		return 0;
	return (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
}

/* A write that fails tells. */
bool
os_reader_gone(FILE *file)
{
	return false;
}
