/*
 * command.h - the table of commands, and what a command is given. Each noun has a file, each
 * command a constant struct in it; usage, option checks and `kmsctl help` come from the table.
 */
#ifndef KMSCTL_CLI_COMMAND_H
#define KMSCTL_CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/cli/output.h"
#include "kmsctl/host/reply.h"
#include "kmsd/common/config.h"
#include "kmsd/ipc/control.h"

/* Exit codes, documented in kmsctl(8). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_USAGE = 1,
	CTL_FAILED = 2,  /* refused by the host, or failed */
	CTL_DOWN = 3,    /* kmsd is not running */
	CTL_PROBLEM = 4, /* a check found something */
};

/* Options that only some commands take. */
enum ctl_option {
	CTL_OPT_OUTPUT = 1 << 0,           /* -o FILE */
	CTL_OPT_QR = 1 << 1,               /* --qr */
	CTL_OPT_PRODUCT = 1 << 2,          /* --product NAME|UUID */
	CTL_OPT_ACTIVE = 1 << 3,           /* --active */
	CTL_OPT_LIMIT = 1 << 4,            /* --limit N */
	CTL_OPT_FULL = 1 << 5,             /* --full */
	CTL_OPT_COUNTRY = 1 << 6,          /* --country CC */
	CTL_OPT_FROM = 1 << 7,             /* --from TIME */
	CTL_OPT_TO = 1 << 8,               /* --to TIME */
	CTL_OPT_PUBLISHER = 1 << 9,        /* --publisher NAME */
	CTL_OPT_PNG = 1 << 10,             /* --png FILE */
	CTL_OPT_YES = 1 << 11,             /* --yes */
	CTL_OPT_DETAILED = 1 << 12,        /* --detailed */
	CTL_OPT_CLONES = 1 << 13,          /* --clones */
	CTL_OPT_ALL = 1 << 14,             /* --all */
	CTL_OPT_SEAL = 1 << 15,            /* --passphrase, --machine or --none */
	CTL_OPT_PASSPHRASE_FILE = 1 << 16, /* --passphrase-file FILE */
	CTL_OPT_CURRENT_FILE = 1 << 17,    /* --current-file FILE */
	CTL_OPT_VM = 1 << 18,              /* --vm */
	CTL_OPT_FORMAT = 1 << 19,          /* --format NAME */
	CTL_OPT_NAMESERVER = 1 << 20,      /* --nameserver ADDRESS */
	CTL_OPT_RELAYED = 1 << 21,         /* --relayed */
	CTL_OPT_ROOT = 1 << 22,            /* --root DIR */
	CTL_OPT_CHECK = 1 << 23,           /* --check */
};

struct ctl;

struct command {
	const char *noun;
	const char *verb; /* NULL: the noun alone */
	const char *args; /* as usage shows them */
	const char *summary;
	unsigned min, max;           /* how many arguments */
	unsigned options;            /* CTL_OPT_* */
	bool no_config;              /* does not need the ini file to be valid */
	int (*run)(struct ctl *ctl); /* returns an enum ctl_exit */
};

struct ctl {
	const struct command *command;
	struct output *out;
	char **args;
	unsigned arg_count;
	bool json;
	/* options */
	const char *config_path; /* -c */
	bool config_given;
	const char *socket; /* -s, or NULL */
	int timeout_ms;     /* -t */
	const char *output_file, *png;
	const char *product;
	const char *from, *to;
	const char *publisher;
	const char *format, *nameserver;
	char country[3]; /* capitals; "": not given */
	uint64_t limit;  /* 0: none */
	bool yes, detailed;
	bool qr, active, full, clones, all, vm, relayed;
	const char *seal; /* a kind of CONTROL_KEY_SEAL; NULL: not given */
	const char *passphrase_file, *current_file;
	const char *root; /* --root, or NULL */
	bool check;
	/* the ledger's owner is taken for good: nothing that root must do comes after */
	bool leave_root;
	struct config config;
};

/* Ends with NULL. */
extern const struct command *const commands[];

extern const struct command cmd_relay_status, cmd_relay_check, cmd_relay_import;
extern const struct command cmd_ledger_backup, cmd_ledger_restore;
extern const struct command cmd_plan, cmd_apply, cmd_doctor, cmd_status, cmd_clients,
    cmd_client_show, cmd_client_revoke, cmd_client_forget, cmd_key_install, cmd_key_show,
    cmd_key_request, cmd_key_confirm, cmd_key_remove, cmd_policy_install, cmd_policy_show,
    cmd_policy_history, cmd_policy_simulate, cmd_audit_export, cmd_revocations_install,
    cmd_publisher_rotate, cmd_ledger_check, cmd_ledger_rebuild, cmd_config_check, cmd_key_seal,
    cmd_key_unseal, cmd_unlock, cmd_why, cmd_explain, cmd_version, cmd_help;
extern const struct command cmd_firewall_apply, cmd_firewall_remove, cmd_firewall_check,
    cmd_firewall_show, cmd_dns_publish, cmd_dns_unpublish, cmd_dns_show, cmd_dns_check;

/*
 * The command that noun and verb name (verb may be NULL), and in *words how many of the two it
 * took. NULL with why set, with the nearest name for a mistyped one.
 */
const struct command *command_find(
    const char *noun, const char *verb, unsigned *words, char why[256]);
/* "kmsctl key install [options] FILE" */
void command_usage(const struct command *c, char *out, size_t size);
/* Options as usage shows them, one of CTL_OPT_*. */
const char *command_option(unsigned bit);

#endif
