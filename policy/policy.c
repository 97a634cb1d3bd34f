/*
 * policy.c - a pack in memory: what is in it, and which pack may replace which.
 */
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#include "libkms/kms_error.h"

const struct policy_product *
policy_product_find(const struct policy_pack *p, const uint8_t id[16])
{
	unsigned low = 0, high = p->product_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = memcmp(id, p->products[middle].id, 16);

		if (order == 0)
			return &p->products[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

int
policy_group_find(const struct policy_pack *p, const char *name)
{
	for (unsigned i = 0; i < p->group_count; i++)
		if (strcmp(p->groups[i].name, name) == 0)
			return (int)i;
	return -1;
}

static bool
names_version(const char list[][16], unsigned count, const struct policy_pack *p)
{
	char version[16];

	snprintf(version, sizeof(version), "%u.%u", p->major, p->minor);
	for (unsigned i = 0; i < count; i++)
		if (strcmp(list[i], version) == 0)
			return true;
	return false;
}

/*
 * A required version counts as installed when it is installed, when the installed one replaced it,
 * or when next itself replaces the installed one: KMS 1.2 requires 1.0 and goes over 1.1 as well,
 * because 1.1 went over 1.0.
 */
static bool
prerequisite_met(const struct policy_pack *next, const struct policy_pack *installed)
{
	if (names_version(next->requires_any, next->requires_count, installed) ||
	    names_version(next->replaces, next->replaces_count, installed))
		return true;
	for (unsigned i = 0; i < next->requires_count; i++)
		for (unsigned j = 0; j < installed->replaces_count; j++)
			if (strcmp(next->requires_any[i], installed->replaces[j]) == 0)
				return true;
	return false;
}

int
policy_pack_succeeds(const struct policy_pack *next, const struct policy_pack *installed)
{
	uint32_t ours, theirs;

	if (installed == NULL)
		return next->requires_count == 0 ? KMS_OK : KMS_E_PREREQUISITE;
	if (strcmp(next->id, installed->id) != 0)
		return KMS_E_PREREQUISITE; /* all packs of a publisher have the same id */
	ours = (uint32_t)next->major << 16 | next->minor;
	theirs = (uint32_t)installed->major << 16 | installed->minor;
	if (ours == theirs)
		return KMS_E_EXISTS;
	if (ours < theirs)
		return KMS_E_OLDER;
	if (next->requires_count == 0 || prerequisite_met(next, installed))
		return KMS_OK;
	return KMS_E_PREREQUISITE;
}
