/*
 * test_relay_events.c - event 12290 out of CSV and XML, and a table of what is not one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/relay/event_log.h"

#define G "1ab2c3d4-0000-4000-8000-0123456789ab"

static const struct {
	const char *text;
	size_t events;
} rows[] = {
	{ "0x0,25,PC1.example.com," G ",2026/11/23 10:15,0,1,43200,SKU", 1 },
	{ "Information,23/11/2026,Microsoft-Windows-Security-SPP,12290,None,\"An activation request has been processed.\r\nInfo:\r\n0x0,25,pc1.example.com," G
	  ",2026/11/23 10:15,0,1,43200\"\r\n",
	    1 },
	{ "<Event><System><EventID>12290</EventID></System><EventData><Data>0x0</Data><Data>25</Data><Data>pc1.example.com</Data><Data>{" G
	  "}</Data><Data>2026/11/23 10:15</Data></EventData></Event>",
	    1 },
	{ "<Data>0x0,25,pc1.example.com," G
	  ",2026/11/23 10:15,0</Data>\n<Data>0xC004F042,5,pc1.example.com," G
	  ",2026/11/23 10:16,0</Data>",
	    2 },
	{ "0x0, 25, pc1.example.com, " G ", 2026/11/23 10:15", 1 },
	{ "", 0 },
	{ "<", 0 },
	{ "<<<>>>,,,\"\"", 0 },
	{ "0x0,25,pc1.example.com," G, 0 },
	{ "0,25,pc1.example.com," G ",2026/11/23 10:15", 0 },
	{ "0x,25,pc1.example.com," G ",2026/11/23 10:15", 0 },
	{ "0x100000000,25,pc1.example.com," G ",2026/11/23 10:15", 0 },
	{ "0x0,-1,pc1.example.com," G ",2026/11/23 10:15", 0 },
	{ "0x0,4294967296,pc1.example.com," G ",2026/11/23 10:15", 0 },
	{ "0x0,25,pc1 example," G ",2026/11/23 10:15", 0 },
	{ "0x0,25,pc1.example.com,1ab2c3d4-0000-4000-8000-0123456789a,2026/11/23 10:15", 0 },
	{ "0x0,25,pc1.example.com,1ab2c3d4-0000-4000-8000-0123456789ag,2026/11/23 10:15", 0 },
	{ "0x0,25,pc1.example.com," G ",2026/13/23 10:15", 0 },
	{ "0x0,25,pc1.example.com," G ",2026/11/23 24:15", 0 },
	{ "0x0,25,pc1.example.com," G ",1999/11/23 10:15", 0 },
	{ "0x0,25,pc1.example.com," G ",2026/11/23", 0 },
	{ "0x0,25,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa," G
	  ",2026/11/23 10:15",
	    0 },
};

static int
keep(const struct event_12290 *e, void *arg)
{
	*(struct event_12290 *)arg = *e;
	return 0;
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event_12290 e;
		char text[512];
		size_t n;

		strcpy(text, rows[i].text);
		n = event_log_each(text, strlen(text), keep, &e);
		if (n != rows[i].events)
			fail_msg("%s: %zu", rows[i].text, n);
		if (n == 0)
			continue;
		assert_string_equal(e.name, "pc1.example.com");
		assert_int_equal(e.count, n == 2 ? 5 : 25);
		assert_int_equal(e.status, n == 2 ? 0xc004f042 : 0);
		assert_int_equal(e.cmid[0], 0x1a);
		assert_int_equal(e.time, n == 2 ? 1795428960 : 1795428900);
	}
	(void)state;
}

static void
test_utf16(void **state)
{
	for (int big = 0; big < 2; big++) {
		struct event_12290 e;
		char text[512] = { 0 };
		size_t n = strlen(rows[0].text);

		text[!big] = (char)0xfe;
		text[big] = (char)0xff;
		for (size_t i = 0; i < n; i++)
			text[2 + 2 * i + (size_t)big] = rows[0].text[i];
		assert_int_equal(event_log_each(text, 2 + 2 * n, keep, &e), 1);
		assert_string_equal(e.name, "pc1.example.com");
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_utf16),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
