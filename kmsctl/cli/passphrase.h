/*
 * passphrase.h - a passphrase from the terminal or a file, kept in guarded
 * memory. Never from argv or the environment: other users can see those.
 */
#ifndef KMSCTL_CLI_PASSPHRASE_H
#define KMSCTL_CLI_PASSPHRASE_H

#include <stdbool.h>

#define PASSPHRASE_MAX 1024 /* as minisign */

/*
 * *out from sodium_malloc, NUL-terminated; free with sodium_free. file: its
 * first line; NULL: the terminal is asked, twice when twice is set. KMS_E_NOT_FOUND (no
 * file), KMS_E_ARGUMENT (no terminal), KMS_E_PASSPHRASE (empty, or the two differ),
 * KMS_E_TOO_LARGE.
 */
int passphrase_get(char **out, const char *file, bool twice);
/* The same for another key; prompt: what the terminal shows. */
int passphrase_ask(char **out, const char *prompt, const char *file, bool twice);

#endif
