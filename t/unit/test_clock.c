/*
 * test_clock.c - what doctor says of a clock, by what the kernel says of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/doctor/time_sync.h"

static const struct row {
	int status;
	unsigned doubtful;       /* seconds */
	long maxerror, esterror; /* microseconds */
	const char *text, *next; /* words of it; next NULL: all is well */
} rows[] = {
	{ STA_UNSYNC, 5, 16000000, 16000000, "the clock is not synchronised",
	    "timedatectl set-ntp true" },
	{ STA_UNSYNC | STA_PLL, 5, 0, 0, "the clock is not synchronised",
	    "timedatectl set-ntp true" },
	/* systemd-timesyncd gives no estimate. */
	{ STA_PLL, 5, 250000, 0, "synchronised: at most 0.250 s off", NULL },
	/* chrony gives both. */
	{ 0, 5, 31000, 1500, "about 0.002 s off, at most 0.031 s", NULL },
	{ STA_PLL | STA_NANO, 5, 5000000, 100, "about 0.000 s off, at most 5.000 s", NULL },
	/* The kernel lets the error grow when no program sets the clock. */
	{ STA_PLL, 5, 5000001, 100, "the clock may now be 5.0 s off",
	    "timedatectl timesync-status" },
	{ STA_PLL, 5, 15900000, 0, "the clock may now be 15.9 s off",
	    "timedatectl timesync-status" },
	/* An estimate above the bound does not count. */
	{ 0, 5, 1000, 16000000, "at most 0.001 s off", NULL },
	/* [alerts] clock_error: another one. */
	{ STA_PLL, 1, 1000001, 100, "the clock may now be 1.0 s off",
	    "timedatectl timesync-status" },
	{ STA_PLL, 1, 1000000, 100, "at most 1.000 s", NULL },
	{ STA_PLL, 15, 15000000, 0, "at most 15.000 s off", NULL },
};

static void
test_rows(void **ignored)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct timex t = { .status = rows[i].status,
			.maxerror = rows[i].maxerror,
			.esterror = rows[i].esterror };
		const char *next = "";
		char text[200];
		int right = clock_judge(&t, rows[i].doubtful, text, &next);

		if (strstr(text, rows[i].text) == NULL || right != (rows[i].next == NULL) ||
		    (next == NULL) != (rows[i].next == NULL) ||
		    (next != NULL && strstr(next, rows[i].next) == NULL))
			fail_msg("row %zu: %s -> %s", i, text, next != NULL ? next : "nothing");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
