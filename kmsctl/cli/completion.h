/*
 * completion.h - what the shells' completions ask kmsctl for.
 */
#ifndef KMSCTL_CLI_COMPLETION_H
#define KMSCTL_CLI_COMPLETION_H

#include "kmsctl/cli/command.h"

/*
 * kmsctl --completion: the tables; kmsctl --completion WHAT [INI]: words, one a line. An enum
 * ctl_exit.
 */
int completion_print(struct ctl *ctl, int argc, char **argv);

#endif
