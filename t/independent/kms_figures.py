"""The two figures of each pool and day of kms.audit(5), from the entries of a file: how many clients are counted at the end of a day, and
how many hold a lease."""

from kms_findings import LEASE, RELEASE, SEEN, Counting, Seats

DAY, MINUTES = 86400, 1440


class Holding:
    """Whose last LEASE, of the publisher, runs: revoked and forgotten clients too."""

    def __init__(self, keys):
        self.keys, self.last, self.pools = keys, {}, {}

    def client(self, c, place):
        mine = c.key_id in self.keys
        order = c.sequence, *place
        if not (c.kind == RELEASE or c.kind == LEASE or c.kind == SEEN and not mine) or order < self.last.get(c.cmid, (order,))[0]:
            return
        _, pool, ends = self.last.get(c.cmid, (None, None, 0))
        if ends:
            self.pools[pool].take(ends)
        ends = c.expires if c.kind == LEASE and mine else 0
        if ends:
            self.pools.setdefault(c.pool, Seats()).put(ends)
        self.last[c.cmid] = order, c.pool, ends


class Figures:
    def __init__(self, keys):
        self.keys, self.entries = keys, []
        self.counting, self.holding = Counting(keys, most=None), Holding(keys)

    def entry(self, e, place):
        if e.client or e.decision:
            self.entries.append((e.time, place, e))

    def days(self, first, last):
        """(pool, day, counted, holding) when one of them changes, from the day of one time to that of another, pool by pool."""
        return sorted(self.changes(first // DAY, last // DAY))

    def changes(self, first, last):
        self.entries.sort(key=lambda at: at[0])
        done, before = 0, {}
        for day in sorted(self.change_days(first, last)):
            while done < len(self.entries) and self.entries[done][0] < (day + 1) * DAY:
                self.apply(*self.entries[done][1:])
                done += 1
            for pool, figures in self.figures(day):
                if day > first and figures != before.get(pool, (0, 0)) or day == first and (pool in before or any(figures)):
                    yield pool, day, *figures
                if pool in before or any(figures):
                    before[pool] = figures

    def figures(self, day):
        """At its end."""
        for pool in {*self.counting.pools, *self.holding.pools}:
            holding = self.holding.pools.get(pool, Seats()).count((day + 1) * DAY - 1)
            yield pool, (self.counting.pool(pool).count((day + 1) * MINUTES - 1), holding)

    def change_days(self, first, last):
        """On which an entry is, or a count or a lease ends; those before the first, too: they say which pools there are."""
        mine = [e.client for _, _, e in self.entries if e.client and e.client.key_id in self.keys]
        days = {first, *(t // DAY for t, _, _ in self.entries), *(c.until // MINUTES for c in mine), *(c.expires // DAY for c in mine)}
        return {day for day in days if day <= last} if first <= last else ()

    def apply(self, place, e):
        if e.decision:
            self.counting.decision(e, place)
        else:
            self.counting.client(e.client, place)
            self.holding.client(e.client, place)


def most(days, first):
    """(pool, most counted, first such day, most holding, first such day) of each pool; first: the time of the first day."""
    best = {}
    for pool, day, counted, holding in days:
        counts, holds = best.setdefault(pool, [(0, first // DAY), (0, first // DAY)])
        best[pool] = [(counted, day) if counted > counts[0] else counts, (holding, day) if holding > holds[0] else holds]
    for pool, (counts, holds) in sorted(best.items()):
        yield pool, *counts, *holds
