/*
 * replay_table.h - the seats of a pool in several worlds at once, for a replay of the journal:
 * which client has one, since when it was not seen, and which comes back next.
 *
 * A window is one length in a world, so the seats that were seen longest ago also come back first:
 * one list in that order says how many there are, which comes back next, and which is the first to
 * take. Seats that are lent have an end of their own and are in a second list, in the order of
 * their ends.
 *
 * A client without a seat in any world is forgotten, so memory follows the seats and not the
 * clients of all times.
 */
#ifndef KMSCTL_LEDGER_REPLAY_TABLE_H
#define KMSCTL_LEDGER_REPLAY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_CLASSES 64
#define REPLAY_WORLDS (9 + REPLAY_CLASSES)
/* Seats in all worlds: of so many clients, divided by the worlds, that have one at once in some. */
#define REPLAY_SEATS_MAX 4500000
#define REPLAY_NONE UINT32_MAX

struct replay_seat {
	uint32_t before, after; /* in its list */
	uint32_t until;         /* minutes; 0: it has no seat */
	uint64_t seen;          /* seconds */
	uint64_t borrowed_end;  /* seconds; 0: not lent */
	bool overdraft;
	uint8_t class; /* 1 to REPLAY_CLASSES; 0: none */
};
struct replay_list {
	uint32_t first, last, count;
};
struct replay_table {
	unsigned worlds;
	struct replay_client *clients;
	struct replay_seat *seats; /* of client i in world w: i * worlds + w */
	uint32_t *buckets;         /* as many as room */
	uint32_t room, used, free; /* free: first of a list of those that are */
	struct replay_list plain[REPLAY_WORLDS], lent[REPLAY_WORLDS];
	uint32_t of_class[REPLAY_WORLDS][1 + REPLAY_CLASSES]; /* seats that count */
};

/* KMS_OK, KMS_E_NO_MEMORY. replay_table_free in every case. */
int replay_table_init(struct replay_table *t, unsigned worlds);
void replay_table_free(struct replay_table *t);
/*
 * The client, held until replay_drop; made if it is absent. KMS_E_LIMIT, KMS_E_NO_MEMORY. It is
 * forgotten at the drop if it has no seat then.
 */
int replay_hold(struct replay_table *t, const uint8_t cmid[16], uint32_t *client);
void replay_drop(struct replay_table *t, uint32_t client);
bool replay_knows(const struct replay_table *t, const uint8_t cmid[16]);

struct replay_seat *replay_seat(const struct replay_table *t, unsigned world, uint32_t client);
/* Gives the seat, or moves it to its new end. Seats are seen in the order of time. */
void replay_give(
    struct replay_table *t, unsigned world, uint32_t client, const struct replay_seat *seat);
void replay_take(struct replay_table *t, unsigned world, uint32_t client);
/* Ends the seats that no longer count in that minute. */
void replay_expire(struct replay_table *t, unsigned world, uint32_t minute);
/* Most clients that may have a seat at once. */
uint32_t replay_most(const struct replay_table *t);
uint32_t replay_counted(const struct replay_table *t, unsigned world);

#endif
