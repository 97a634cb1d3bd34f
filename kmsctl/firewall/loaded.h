/*
 * loaded.h - the kernel's rules, through nft.
 */
#ifndef KMSCTL_FIREWALL_LOADED_H
#define KMSCTL_FIREWALL_LOADED_H

#include <stdbool.h>

struct live_difference {
	struct live_line {
		bool live; /* in force and not wanted; else wanted and not in force */
		char *text;
	} * lines;
	unsigned count;
};

/* All: KMS_OK; KMS_E_NOT_FOUND (no nft), KMS_E_DENIED, KMS_E_TIMEOUT, KMS_E_IO ... with why. */

/* nft -f: the whole text or nothing of it. */
int live_load(const char *text, int timeout_ms, char why[512]);
int live_there(bool *there, int timeout_ms, char why[512]);
/*
 * What the table in force and the one that text would make differ in, line by line as nft lists
 * them. The wanted one is loaded into a network namespace made for it and gone afterwards, so
 * that both are in nft's own words, whatever its version.
 */
int live_compare(struct live_difference *d, const char *text, int timeout_ms, char why[512]);
/* There is no table of ours at all. */
bool live_absent(const struct live_difference *d);
void live_difference_free(struct live_difference *d);

#endif
