"""Several audit files, after SEVERAL FILES of kms.audit(5) alone; see kms_auditor.py, which calls this."""

import hashlib
from collections import defaultdict, namedtuple

import kms_figures
from kms_auditor import (CERTIFICATE, FOREVER, GIVE, HEARD, ROTATION, SHARE, Audit, audit, contents, date, keys_of, packs_of, publisher_chain,
                         read_batches, read_certificates, read_entry, read_head, read_heard, read_lease, stamp)
from kms_figures import DAY, Holding
from kms_findings import GRADES, LEASE, RELEASE, SEEN, Counting, read_pack
from kms_wire import CLOCK_FAR, KmsError, Reader, need, publisher_key
import uuid

NO_LIMIT = float("inf")
CLOCKS = 8 * 3600


class File:
    def __init__(self, octets, publisher, period, packs, place):
        self.octets, self.place = octets, place
        self.alone = audit(octets, publisher, period, packs=packs)      # refused by itself: all are
        r = Reader(octets)
        self.head, self.documents = read_head(r)
        self.batches = {b.header.number: b for b in read_batches(r, self.head.flags)}
        self.host, self.first, self.last = self.alone.host, self.alone.first.number, self.alone.last.number
        self.hashes = self.alone.hashes


class Chain:
    """Files of one host that agree."""

    def __init__(self, host, file, other=None):
        self.host, self.files, self.hashes, self.other = host, [], {}, other
        self.add(file)

    def add(self, file):
        need(not self.files or file.first <= self.last + 1, f"batches before {file.first} are in no file", "KMS_E_MISSING")
        self.files.append(file)
        self.hashes = {**file.hashes, **self.hashes}
        self.last = max(f.last for f in self.files)
        self.first = self.files[0].first

    def agrees(self, file):
        n = min(self.last, file.last)
        return n in self.hashes and self.hashes.get(n) == file.hashes.get(n)


def chains_of(files):
    hosts = {}
    for f in files:
        hosts.setdefault(f.host, []).append(f)
    chains = []
    for host, its in hosts.items():
        mine = []
        for f in sorted(its, key=lambda f: (f.first, f.last)):
            fits = [c for c in mine if c.agrees(f)]
            near = [c for c in mine if f.first <= c.last + 1]
            if fits:
                fits[0].add(f)
            elif mine and not near:
                max(mine, key=lambda c: c.last).add(f)
            else:
                mine.append(Chain(host, f, near[0] if near else None))
        chains += mine
    return chains


def parting(a, b):
    """The lowest number that both have and at which they differ; None: there is none."""
    return min((n for n in a.hashes.keys() & b.hashes.keys() if a.hashes[n] != b.hashes[n]), default=None)


# One chain -------------------------------------------------------------------------------------

def audit_chain(c, publisher, period, packs, leases):
    documents = list(dict.fromkeys(d for f in c.files for d in f.documents))
    chain = publisher_chain(publisher, [d for kind, d in documents if kind == ROTATION])
    keys = keys_of(publisher, chain)
    mine = [d for kind, d in documents if kind == CERTIFICATE]
    mine.sort(key=lambda octets: octets[64:72])
    a = Audit(read_certificates(mine, keys), keys, period, {hashlib.sha256(p).digest(): read_pack(p) for p, _ in packs})
    for f in c.files:
        for n in sorted(f.batches):
            if not a.last or n > a.last.number:
                a.batch(f.batches[n])
    a.beginning = "batch 1" if a.first.number == 1 else "not proved"
    shared = parting(c, c.other) if c.other else None
    if shared and a.beginning == "not proved" and shared > 1 and shared - 1 in c.other.hashes and shared - 1 in a.hashes:
        a.beginning = "known batch"
    a.check_base([read_pack(pack).keep for pack, _ in packs])
    a.check_begun()
    last = c.files[-1]
    whole = last.head.ends == FOREVER and set(mine) <= {d for _, d in last.documents}
    a.check_documents([(CERTIFICATE, d) for d in mine] + [(ROTATION, d) for d in rotations_in_order(chain, documents)], publisher, chain,
                      FOREVER if whole else 0)
    a.judge.settle()
    a.chain.settle(a.findings, a.host, a.signing)
    a.findings.lines = [line for line in a.findings.lines if line[1] != "names-differ"]
    for f in c.files:
        for grade, kind, batch, count in f.alone.findings.lines:
            if kind.startswith("head-") or kind in ("names-differ", "document-repeated", "document-order"):
                a.findings.add(grade, kind, batch, count)
    a.places = list(a.check_leases(leases))
    a.host_key_names = {(k.host_key, k.customer) for k in a.certificates}
    return a


def rotations_in_order(chain, documents):
    octets = [d for kind, d in documents if kind == ROTATION]
    return sorted(octets, key=lambda o: next(i for i, s in enumerate(chain) if (s.old_id, s.new_id) == (o[8:16], o[48:56])))


# All chains ------------------------------------------------------------------------------------

class Intervals:
    """{(pool, CMID): [(minute, minute)]} in which a client is counted, or holds a lease, at any host."""

    def __init__(self):
        self.counted, self.holding = defaultdict(list), defaultdict(list)

    def chain(self, entries, keys):
        counting, holding = Counting(keys, most=None), Holding(keys)
        seats, leases = {}, {}
        for when, place, e in sorted(entries, key=lambda at: at[0]):
            cmid = e.decision.cmid if e.decision else e.client.cmid
            if e.decision:
                counting.decision(e, place)
            else:
                counting.client(e.client, place)
                holding.client(e.client, place)
            self.change(self.counted, seats, cmid, when // 60, self.seat(counting, cmid))
            _, pool, ends = holding.last.get(cmid, (None, None, 0))
            self.change(self.holding, leases, cmid, when // 60, (pool, ends // 60) if ends else None)
        for table, open_ones in ((self.counted, seats), (self.holding, leases)):
            for cmid in list(open_ones):
                self.change(table, open_ones, cmid, NO_LIMIT, None)

    def seat(self, counting, cmid):
        pool, until = counting.seats.get(cmid, (None, 0))
        return (pool, until) if until and not counting.is_revoked(cmid) else None

    def change(self, table, now, cmid, minute, state):
        start, before = now.get(cmid, (None, None))
        if before == state:
            return
        if before:
            end = min(before[1], minute)
            if start < end:
                table[before[0], cmid].append((start, end))
            del now[cmid]
        if state:
            now[cmid] = minute, state


def joined(spans):
    made = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1][1] = max(made[-1][1], end)
        else:
            made.append([start, end])
    return made


class Together:
    def __init__(self, audits, period, packs):
        self.audits, self.period, self.packs = audits, period, [read_pack(p) for p, _ in packs]
        self.first, self.last = min(a.first.time for a in audits), max(a.last.time for a in audits)
        spans = Intervals()
        for a in audits:
            spans.chain(a.figures.entries, a.keys)
        self.counted, self.holding = self.by_pool(spans.counted), self.by_pool(spans.holding)
        self.products = defaultdict(set)                # pool: products
        for a in audits:
            for _, _, e in a.figures.entries:
                if e.client and e.kind in (LEASE, SEEN) and e.client.key_id in a.keys:
                    self.products[e.client.pool].add(e.client.product)

    def by_pool(self, table):
        pools = defaultdict(list)
        for (pool, _), spans in table.items():
            pools[pool] += joined(spans)
        return pools

    def days(self):
        """As kms_figures.Figures.days."""
        first, last = max(self.first, self.period[0]), min(self.last, self.period[1])
        lines = []
        for pool in {*self.counted, *self.holding}:
            lines += self.pool_days(pool, first // DAY, last // DAY)
        return sorted(lines), first

    def pool_days(self, pool, first, last):
        both = self.counted.get(pool, []), self.holding.get(pool, [])
        changes = {first, *(m // 1440 for spans in both for span in spans for m in span)}
        before = None
        for day in sorted(d for d in changes if d <= last) if first <= last else ():
            figures = tuple(sum(start // 1440 <= day < end // 1440 for start, end in spans) for spans in both)
            if day > first and figures != (before or (0, 0)) or day == first and (before is not None or any(figures)):
                yield pool, day, *figures
            if before is not None or any(figures):
                before = figures

    def limit(self, pool, minute):
        when, keys = minute * 60, defaultdict(list)
        for a in self.audits:
            for c in a.certificates:
                if c.not_before < when + 60 and when <= c.not_after and c.issued < when + 60 + CLOCK_FAR and self.products[pool] & set(c.products):
                    keys[c.host_key].append(c.capacity or NO_LIMIT)
        sold = sum(max(each) for each in keys.values()) if keys else NO_LIMIT
        return max((self.of_pack(p.pools.get(pool), sold) for p in self.packs), default=sold)

    def most_sold(self, pool):
        begins = (max(c.not_before, c.issued - CLOCK_FAR, 0) for a in self.audits for c in a.certificates)
        return max((self.limit(pool, when // 60) for when in begins), default=0)

    def of_pack(self, pool, sold):
        limit = min(sold, pool.capacity or NO_LIMIT) if pool else sold
        return limit if limit == NO_LIMIT or not pool else limit + -(-limit * pool.overdraft // 100)

    def peaks(self):
        """(pool, most at once, minute, limit then, beyond)"""
        begin, end = max(self.first, self.period[0]) // 60, min(self.last, self.period[1]) // 60
        for pool, spans in sorted(self.counted.items()):
            minutes = sorted({max(start, begin) for start, _ in spans if start <= end}) if begin <= end else []
            counts = [(sum(s <= m < e for s, e in spans), m) for m in minutes]
            most = max(counts, key=lambda at: (at[0], -at[1]), default=(0, 0))
            if most[0]:
                yield pool, *most, self.limit(pool, most[1]), any(n > self.limit(pool, m) for n, m in counts)


def served_at(audits):
    """{CMID: hosts} of clients with a LEASE or SEEN."""
    hosts = defaultdict(set)
    for a in audits:
        for _, place, e in a.figures.entries:
            if e.client and e.kind in (LEASE, SEEN) and e.client.key_id in a.keys:
                hosts[e.client.cmid].add(a.host)
    return hosts


Act = namedtuple("Act", "host number request when name")


def check_copies(findings, audits, several):
    acts = defaultdict(set)
    for a in audits:
        for _, place, e in a.figures.entries:
            if e.client and e.kind in (LEASE, SEEN, RELEASE) and e.client.key_id in a.keys and e.client.cmid in several:
                acts[e.client.cmid].add(Act(a.host, e.client.sequence, e.client.request_id, e.time, e.client.name))
    for of_one in acts.values():
        pairs = [(x, y) for x in of_one for y in of_one if x.host != y.host]
        findings.add("note", "hosts-names", 0, int(any(x.name != y.name for x, y in pairs)))
        two = any(x.number == y.number and x.request != y.request or x.number < y.number and x.when > y.when + CLOCKS for x, y in pairs)
        findings.add("unexplained", "hosts-clone", 0, int(two))


def check_heard(findings, chains, audits, together):
    """What hosts that count together say about one another."""
    heard, gives, firsts = defaultdict(int), {}, set()
    for a in audits:
        for place, e in a.share:
            if e.kind == HEARD:
                for row in read_heard(e.blob, e.subject):
                    heard[row] = max(heard[row], e.time)
            elif e.kind == GIVE:
                gives[place] = e.blob
            elif e.kind == SHARE and e.blob == b"\1":
                firsts.add(a.host)
    hosts = defaultdict(list)
    for (host, number, digest), when in heard.items():
        hosts[host].append((number, digest, when))
    for host, rows in sorted(hosts.items()):
        its = [(c, a) for c, a in zip(chains, audits) if c.host == host]
        last, time = max((c.last for c, _ in its), default=0), max((a.last.time for _, a in its), default=0)
        missing = [when for number, _, when in rows if number > last]
        late = not its or any(when > time + DAY for when in missing)
        findings.add("unexplained" if late else "note", "heard-missing", 0, int(bool(missing)))
        names = [(number, digest, {c.hashes[number] for c, _ in its if number in c.hashes}) for number, digest, _ in rows]
        findings.add("unexplained", "heard-other", 0, int(any(known and digest not in known for _, digest, known in names)))
    given, received = defaultdict(int), defaultdict(int)
    for (host, _, _), blob in gives.items():
        given[host, blob[:10]] += int.from_bytes(blob[26:], "big")
        received[blob[10:26], blob[:10]] += int.from_bytes(blob[26:], "big")
    for (host, pool), rights in sorted(given.items()):
        number = int.from_bytes(pool[8:], "big")
        first = together.most_sold(number) if host in firsts else 0
        if any(pool[:8] in a.keys for a in audits):
            findings.add("unexplained", "rights", 0, int(rights > first + received[host, pool]))
    findings.add("unexplained", "rights", 0, int(len(firsts) > 1))


def check_forks(findings, chains, audits):
    for i, (c, a) in enumerate(zip(chains, audits)):
        for d, b in list(zip(chains, audits))[i + 1:]:
            n = parting(c, d) if c.host == d.host else None
            if n is None:
                continue
            common = min(c.last, d.last)
            worst = [min((one.chain.grade(header, digest) for header, digest in three(other, n, common)), key=GRADES.index)
                     for one, other in ((a, d), (b, c))]
            findings.add(max(worst, key=GRADES.index), "fork", n)


def three(chain, *numbers):
    """Headers and hashes of these batches, where a file has them, and of the last."""
    for n in {*numbers, chain.last}:
        for f in chain.files:
            if n in f.batches:
                yield f.batches[n].header, f.hashes[n]
                break


def check_customers(audits):
    for i, a in enumerate(audits):
        ours = {member for pair in a.host_key_names for member in pair}
        need(len(audits) == 1 or any(ours & {m for pair in b.host_key_names for m in pair} for j, b in enumerate(audits) if j != i),
             "files of different customers", "KMS_E_ARGUMENT")


# The report ------------------------------------------------------------------------------------

def report(chains, audits, together, findings, places):
    clients, by_product, leases = set(), defaultdict(set), defaultdict(int)
    for a in audits:
        clients |= set().union(*a.clients.values())
        for product in a.clients:
            by_product[product] |= a.clients[product]
            leases[product] += a.leases[product]
    yield "host-count", len({c.host for c in chains})
    yield "chain-count", len(chains)
    yield "file-count", sum(len(c.files) for c in chains)
    yield "clients", len(clients)
    yield "clients-by-host", sum(len(set().union(*a.clients.values())) for a in audits)
    yield "clients-at-several-hosts", sum(len(h) > 1 for h in served_at(audits).values())
    yield "leases", sum(leases.values())
    yield "leases-not-covered", sum(a.uncovered for a in audits)
    yield "first-time", stamp(together.first)
    yield "last-time", stamp(together.last)
    yield "batches", sum(a.batches for a in audits)
    yield "entries", sum(a.entries for a in audits)
    for c, a in zip(chains, audits):
        yield "host", (f"{c.host.hex()} {len(c.files)} {len(set().union(*a.clients.values()))} {sum(a.leases.values())} {a.beginning} "
                       f"{a.first.number} {a.last.number}:{a.hashes[a.last.number].hex()}")
    for product in sorted(by_product):
        yield "product", f"{uuid.UUID(bytes=product)} {len(by_product[product])} {leases[product]}"
    for place in places:
        yield "lease-file", place
    days, first = together.days()
    for pool, counted, counted_on, holding, holding_on in kms_figures.most(days, first):
        yield "pool", f"{pool} {counted} {date(counted_on)} {holding} {date(holding_on)}"
    for pool, day, counted, holding in days:
        yield "day", f"{pool} {date(day)} {counted} {holding}"
    for pool, most, minute, limit, _ in together.peaks():
        yield "pool-together", f"{pool} {most} {stamp(minute * 60)} {0 if limit == NO_LIMIT else limit}"
    lines = findings.sorted() + [line for a in audits for line in a.findings.sorted()]
    yield "worst", min((line[0] for line in lines), key=GRADES.index, default="none")
    yield "finding-count", len(lines)
    for line in lines:
        yield "finding", " ".join(str(member) for member in line)


PLACES = "in the chain", "of another chain", "after the end of the file", "before the file", "of another host"


def audit_all(o):
    need(o.last is None and o.host is None, "--last and --host are for one file", "KMS_E_ARGUMENT")
    publisher, period, packs = publisher_key(o.publisher_key), (o.begins, o.until), packs_of(o)
    leases = [read_lease(contents(path), publisher) for path in o.lease]
    files = [File(contents(path), publisher, period, packs, i) for i, path in enumerate(o.files)]
    chains = chains_of(files)
    audits = [audit_chain(c, publisher, period, packs, leases) for c in chains]
    check_customers(audits)
    together, findings = Together(audits, period, packs), type(audits[0].findings)()
    check_heard(findings, chains, audits, together)
    check_copies(findings, audits, {cmid for cmid, hosts in served_at(audits).items() if len(hosts) > 1})
    check_forks(findings, chains, audits)
    for *_, beyond in together.peaks():
        findings.add("unexplained", "hosts-capacity", 0, int(beyond))
    places = [min((a.places[i] for a in audits), key=PLACES.index) for i in range(len(leases))]
    return chains, audits, together, findings, places


def all_files(o):
    """Prints what the files prove; the exit status."""
    try:
        chains, audits, together, findings, places = audit_all(o)
    except KmsError as bad:
        print(f"status: {bad.name}\nwhy: {bad}\nexit: 1")
        return 1
    proved = all(a.beginning != "not proved" for a in audits)
    print("status:", "KMS_OK" if proved else "KMS_E_NOT_PROVED")
    for name, value in report(chains, audits, together, findings, places):
        print(f"{name}: {value}")
    above_a_note = any(grade != "note" for f in [findings, *(a.findings for a in audits)] for grade, *_ in f.lines)
    exit_status = 3 * above_a_note if proved else 1
    print(f"exit: {exit_status}")
    return exit_status
