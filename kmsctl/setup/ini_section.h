/*
 * ini_section.h - writing one section of an ini text that a person keeps. Pure. Every other line,
 * every comment and the kind of line end stay as they are.
 */
#ifndef KMSCTL_SETUP_INI_SECTION_H
#define KMSCTL_SETUP_INI_SECTION_H

#include <stdbool.h>
#include <stddef.h>

struct ini_value {
	const char *key, *value;
	bool replace; /* a value that is there does not stay */
};

/*
 * The text with these values in [noun name], malloc'd; name "": in [noun]. A key that has a value
 * there keeps it, unless it is to be replaced; one without a value is filled in, a missing one is
 * added after the last key of the section, and a missing section at the end of the text. Nothing to
 * do: the same text. The text is one that config_parse accepts. KMS_E_NO_MEMORY.
 */
int ini_section_write(char **out, const char *text, const char *noun, const char *name,
    const struct ini_value *values, unsigned count);

#endif
