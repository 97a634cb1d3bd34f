/*
 * plan.h - how this machine differs from kms.ini, aspect by aspect, and correcting it.
 *
 * An aspect inspects the machine (and adds one difference for each thing that does not match) and
 * corrects one difference at a time. Correcting the same twice changes nothing, and each step is
 * complete or has no effect, so that apply may be interrupted and repeated.
 */
#ifndef KMSCTL_PLAN_PLAN_H
#define KMSCTL_PLAN_PLAN_H

#include "kmsctl/kmsctl.h"

#define DIFFERENCES_MAX 128

struct plan;
struct difference;

struct aspect {
	const char *name;
	bool needs_running_system; /* not checked below --root */
	/* KMS_OK, or what kept it from looking, f set. */
	int (*inspect)(struct plan *p, struct fault *f);
	/* NULL: by hand only */
	int (*mend)(struct plan *p, const struct difference *d, struct fault *f);
};

struct difference {
	const struct aspect *aspect;
	int tag;                /* the aspect's own */
	char what[320];         /* what it is about: a user, a path, a unit */
	char is[160], due[256]; /* the present state, and what is done about it */
	const char *why;
	bool by_hand; /* the administrator must do it: due says what to type */
};

struct plan {
	struct ctl *ctl;
	const char *root;             /* "" or a directory without the last slash */
	const char *nameserver;       /* NULL: the system's */
	bool brief;                   /* what is left to the administrator is not shown */
	const struct aspect *aspect;  /* being looked at */
	const struct aspect *without; /* is not looked at; NULL: all are */
	struct difference list[DIFFERENCES_MAX];
	unsigned count;
};

extern const struct aspect aspect_users, aspect_files, aspect_units, aspect_firewall, aspect_dns,
    aspect_service, aspect_share, aspect_publishers;

/*
 * Adds a difference to fill in; never NULL (the last one is used again when there are too
 * many).
 */
struct difference *plan_add(struct plan *p, int tag, const char *why, const char *what_fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* root + path; false: too long. */
bool plan_path(const struct plan *p, char out[512], const char *path);
/* Ids of a user or group of the machine, or of the system below --root. False: there is none. */
bool plan_user(const struct plan *p, const char *name, unsigned *uid, unsigned *gid);
bool plan_group(const struct plan *p, const char *name);
/* Runs a program to its end. KMS_OK, KMS_E_NOT_FOUND: not installed; else f is what it said. */
int plan_run(const struct plan *p, const char *const argv[], struct fault *f);
/* Has the kmsd of that status read the publisher from kms.ini? */
bool plan_knows(const struct reply *status, const struct config_publisher *publisher);
/*
 * The first publisher of kms.ini that kmsd has not read; NULL: it knows all, or is locked and does
 * not say.
 */
const struct config_publisher *plan_unread(const struct reply *status, const struct config *c);
/* What systemctl is-enabled says: "enabled", "disabled" ...; "" when it gives no answer. */
void plan_enabled(const struct plan *p, const char *unit, char out[64]);
/* Is the unit active? True, too, when nobody can tell. */
bool plan_active(const struct plan *p, const char *unit);
/*
 * Was an active unit (its D-Bus name below /org/freedesktop/systemd1/unit/) started before that
 * file, or directory, changed? False when systemd cannot be asked.
 */
bool plan_older(const struct plan *p, const char *path, const char *object);
/* Does systemd run this machine, or will it run what is below --root? */
bool plan_systemd(const struct plan *p);

#endif
