/*
 * agree.c - see agree.h.
 */
#include "kmsctl/setup/agree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/key_input.h"
#include "kmsctl/plan/run.h"
#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"

unsigned
agree_show(struct ctl *ctl, const char *ini, const struct aspect *without)
{
	static struct plan plan; /* large */

	config_parse(&ctl->config, ini, strlen(ini), NULL, 0);
	memset(&plan, 0, sizeof(plan));
	plan.ctl = ctl;
	plan.root = "";
	plan.without = without;
	plan_look(&plan, PLAN_MACHINE);
	output_list(ctl->out, "differences", NULL);
	if (plan.count > 0)
		output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	plan_show(&plan);
	output_end(ctl->out);
	return plan.count - plan_by_hand(&plan);
}

int
agree_ask(struct ctl *ctl, bool yes)
{
	char *answer;

	if (yes)
		return CTL_OK;
	if (ctl->json || !isatty(STDIN_FILENO))
		return fail(ctl, KMS_E_ARGUMENT, "nothing was changed: to do all this, add --yes");
	fflush(ctl->out->file);
	answer = key_input_line("\nType yes to do all this: ");
	yes = answer != NULL && strcmp(answer, "yes") == 0;
	free(answer);
	return yes ? CTL_OK : fail(ctl, KMS_E_ARGUMENT, "nothing was changed");
}

int
agree_mend(struct ctl *ctl)
{
	static struct plan plan; /* large */
	struct plan_result r = { 0 };

	memset(&plan, 0, sizeof(plan));
	plan.ctl = ctl;
	plan.root = "";
	plan.brief = true; /* it was shown before the question */
	output_list(ctl->out, "changes", NULL);
	plan_mend(&plan, PLAN_MACHINE, &r);
	output_end(ctl->out);
	if (r.failed > 0)
		return fail_told(ctl, KMS_E_IO,
		    "%u of these changes failed: correct the cause, then run the same command again",
		    r.failed);
	return CTL_OK;
}
