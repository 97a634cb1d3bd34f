"""What an audit file says and does not bear out: FINDINGS of kms.audit(5), WITNESSES and COUNTING of kms.journal(5), and the policy packs
of kms.policy(5) as far as an audit needs them.  Written from those pages alone; see kms_auditor.py."""

import base64
import bisect
import calendar
import hashlib
import re
import time
import uuid
from collections import Counter, namedtuple

from kms_wire import (CLOCK_FAR, KmsError, ed25519_ok, leaf_hash, need, proof_holds, read_batch_header, read_bundle, read_certificate,
                      read_client_entry)

LEASE, SEEN, RELEASE, REFUSAL = 1, 2, 3, 4
START, CERTIFICATE, POLICY, ROTATION, WITNESS, RESTORED, CLOCK = 16, 18, 19, 25, 28, 29, 30
REVOKE, UNREVOKE, FORGET, RECLAIM, HOLD = range(32, 37)
FLAGS = (0x0002, "clone"), (0x0004, "caught-up"), (0x0080, "bound-other")
BORROWED, OVERDRAFT = 0x0008, 0x0010
GRADES = ("contradiction", "unexplained", "note")
EACH_A_LINE, MOST_LINES = ("witness", "restored", "lease", "fork", "hosts-capacity", "heard-missing", "heard-other",
                             "rights"), 16
MOST_VALUES, CLOCK_NOTE = 8192, 60
UNITS = {"": 60, "m": 60, "h": 3600, "d": 86400}


def num(octets):
    return int.from_bytes(octets, "big")


class Findings:
    """Lines of [grade, kind, batch, count]."""

    def __init__(self):
        self.lines, self.clients = [], set()

    def add(self, grade, kind, batch, count=1):
        same = [line for line in self.lines if line[:2] == [grade, kind]]
        if count and (not same or kind in EACH_A_LINE and len(same) < MOST_LINES):
            self.lines.append([grade, kind, batch, count])
        elif count:
            same[-1][3] += count

    def client(self, kind, batch, cmid):
        """A note, once for each client."""
        if (kind, cmid) not in self.clients:
            self.clients.add((kind, cmid))
            self.add("note", kind, batch)

    def sorted(self):
        return sorted(self.lines, key=lambda line: GRADES.index(line[0]))


# Witnesses -------------------------------------------------------------------------------------

class Chain:
    """The batches of a file, and what its entries START and RESTORED say of others."""

    def __init__(self):
        self.first = None                   # header
        self.hashes, self.times, self.starts, self.restores, self.witnesses = {}, {}, [], [], []

    def restored(self, findings, header, e):
        number, digest = num(e.blob[:8]), e.digest
        grade = "unexplained" if e.blob[16] == 3 else "note"
        if number == header.number - 1 and self.hashes[number] == digest:
            self.restores.append((number, e.time, num(e.blob[8:16])))
        elif number >= self.first.number - 1 and number not in [said for said, _, _ in self.restores]:
            grade = "contradiction"
        findings.add(grade, "restored", header.number)

    def explains_until(self, number, when):
        """A restore to that batch: the time of its entry, or what later batches leave of it."""
        return min([when] + [t + 60 for n, t in self.times.items() if n > number])

    def grade(self, known, digest, recorded=None):
        """Of a header that a client has.  recorded: the batch that has the WITNESS; None: a lease brought it."""
        n, t = known.number, known.time
        if self.hashes.get(n) == digest:
            return "unexplained"
        if any(number < n and self.explains_until(number, when) >= t for number, when, _ in self.restores):
            return "note"
        excuses = [(s, when, None) for s, when in self.starts] + [(number + 1, when, left) for number, when, left in self.restores]
        if any(t <= when and (recorded is None or recorded >= s) and (n >= s or (left is not None and t > left))
               for s, when, left in excuses):
            return "unexplained"
        if self.first.number != 1 and t <= self.first.time:
            return "unexplained"
        return "contradiction" if n in self.hashes else "unexplained"

    def settle(self, findings, host, signing):
        """When the whole file is known."""
        for recorded, e in self.witnesses:
            known = self.witness_header(e, host, signing)
            findings.add(self.grade(known, e.digest, recorded) if known else "contradiction", "witness", recorded)

    def witness_header(self, e, host, signing):
        octets = e.blob[:108]
        try:
            known = read_batch_header(octets)
        except KmsError:
            return None
        true = (known.host_id == host and hashlib.sha256(octets).digest() == e.digest and ed25519_ok(signing, e.blob[108:], octets))
        return known if true else None

    def place(self, lease):
        """Of a lease of this host."""
        n = lease.header.number
        if n < self.first.number - 1:
            return "before the file"
        if n not in self.hashes:
            return "after the end of the file"
        return "in the chain" if self.hashes[n] == lease.digest else "of another chain"


Lease = namedtuple("Lease", "signing header digest")


def verify_lease_of(certificate, bundle, keys):
    """Somebody else's lease, whatever the time is: steps 1 to 11 of Verifying a lease."""
    c = read_certificate(certificate)
    need(c.key_id in keys, "certificate of another publisher", "KMS_E_PUBLISHER")
    need(ed25519_ok(keys[c.key_id], c.signature, c.signed), "the host certificate", "KMS_E_SIGNATURE")
    b = read_bundle(bundle)
    header = read_batch_header(b.header)
    need(proof_holds(leaf_hash(b.entry), b.index, header.size, b.proof, header.root), "the inclusion proof", "KMS_E_PROOF")
    need(ed25519_ok(c.signing, b.signature, b.header), "the batch", "KMS_E_SIGNATURE")
    need(header.host_id == hashlib.sha256(b"KMS host v2" + c.signing).digest()[:16], "another host", "KMS_E_LEASE_OTHER")
    e = read_client_entry(b.entry)
    need(abs(e.time - header.time) <= CLOCK_FAR and e.kind == LEASE and e.until != 0, "no lease that counts")
    need(e.key_id in keys, "the entry's publisher", "KMS_E_PUBLISHER")
    need(e.product in c.products, "the certificate lacks the product", "KMS_E_NOT_COVERED")
    need(c.not_before <= e.time and max(e.time, e.expires) <= c.not_after, "outside the certificate's dates", "KMS_E_KEY_EXPIRED")
    return Lease(c.signing, header, hashlib.sha256(b.header).digest())


# Counting --------------------------------------------------------------------------------------

class Seats:
    """The counts until of the clients of one pool."""

    def __init__(self):
        self.all, self.different, self.times = [], [], Counter()      # both lists ascend

    def count(self, minute):
        return len(self.all) - bisect.bisect_right(self.all, minute)

    def full(self, until, minute, most):
        later = len(self.different) - bisect.bisect_right(self.different, minute)
        return most is not None and until not in self.times and later >= most

    def put(self, until):
        bisect.insort(self.all, until)
        self.times[until] += 1
        if self.times[until] == 1:
            bisect.insort(self.different, until)

    def take(self, until):
        del self.all[bisect.bisect_left(self.all, until)]
        self.times[until] -= 1
        if not self.times[until]:
            del self.times[until]
            del self.different[bisect.bisect_left(self.different, until)]


class Counting:
    """Who is counted where, entry by entry.  Pools are those of one publisher, by number; a seat elsewhere is in none."""

    def __init__(self, keys, most=MOST_VALUES):
        self.keys, self.most, self.pools = keys, most, {}
        self.acts, self.seats, self.revoked = {}, {}, {}

    def pool(self, number):
        return self.pools.setdefault(number, Seats())

    def counted(self, cmid, pool, minute):
        number, until = self.seats.get(cmid, (None, 0))
        return number == pool and until > minute and not self.is_revoked(cmid)

    def is_revoked(self, cmid):
        return self.revoked.get(cmid, (None, False))[1]

    def overridden(self, cmid, order):
        """Whether an earlier entry is the last act of the client all the same."""
        return cmid in self.acts and order <= self.acts[cmid]

    def act(self, cmid, order):
        """Whether this is the last act of the client by now."""
        if self.overridden(cmid, order):
            return False
        self.acts[cmid] = order
        return True

    def leave(self, cmid):
        number, until = self.seats.pop(cmid, (None, 0))
        if until and not self.is_revoked(cmid):
            self.pool(number).take(until)

    def sit(self, cmid, number, until):
        self.seats[cmid] = number, until
        if not self.is_revoked(cmid):
            self.pool(number).put(until)

    def revoke(self, cmid, order, on):
        """A seat that was taken after a revocation that is still in force is there, and does not count."""
        if cmid in self.revoked and order <= self.revoked[cmid][0]:
            return
        number, until = self.seats.get(cmid, (None, 0))
        if until and on != self.is_revoked(cmid):
            (self.pool(number).take if on else self.pool(number).put)(until)
        self.revoked[cmid] = order, on

    def decision(self, e, place):
        d = e.decision
        if e.kind in (REVOKE, UNREVOKE, FORGET, RECLAIM) and self.act(d.cmid, (d.through, 1, *place)):
            self.leave(d.cmid)
        if e.kind in (REVOKE, UNREVOKE):
            self.revoke(d.cmid, (d.counter, place[0]), e.kind == REVOKE)

    def counts(self, c, place):
        """Whether its client can be counted by a LEASE or SEEN."""
        return not self.is_revoked(c.cmid) and not self.overridden(c.cmid, (c.sequence, 0, *place))

    def client(self, c, place):
        """True: a client more is counted.  None: it cannot be."""
        minute = c.time // 60
        before = self.counted(c.cmid, c.pool, minute) and c.key_id in self.keys
        if c.kind == REFUSAL or not self.act(c.cmid, (c.sequence, 0, *place)):
            return False
        self.leave(c.cmid)
        if c.kind == RELEASE or not c.until or c.key_id not in self.keys:
            return False
        if self.pool(c.pool).full(c.until, minute, self.most):
            return None
        self.sit(c.cmid, c.pool, c.until)
        return not before and self.counted(c.cmid, c.pool, minute)


# Policy packs ----------------------------------------------------------------------------------

# {uuid: (seconds of validity, threshold)}, {number: Pool}, seconds, {uuid: number of its pool}
Pack = namedtuple("Pack", "products pools keep pool_of")
Pool = namedtuple("Pool", "capacity overdraft borrow")      # overdraft: percent; borrow: seconds


def sections(text):
    """[(kind, name, {key: value})]"""
    found = []
    for line in text.split("\n"):
        line = re.sub(r"\s;.*", "", line).rstrip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            kind, _, name = line.strip("[]").partition(" ")
            found.append((kind, name.strip(), {}))
        else:
            key, _, value = line.partition("=")
            found[-1][2][key.strip()] = value.strip()
    return found


def duration(text):
    number, unit = re.fullmatch(r"(\d+)([mhd]?)", text).groups()
    return int(number) * UNITS[unit]


def read_pack(octets):
    products, pools, keep, names, pool_of = {}, {}, duration("400d"), {}, {}
    for kind, name, keys in sections(octets.decode()):
        if kind == "product":
            pool_of[uuid.UUID(name).bytes] = keys["pool"]
            products[uuid.UUID(name).bytes] = duration(keys.get("validity", "180d")), int(keys["threshold"])
        elif kind == "pool":
            names[name] = int(keys["number"])
            pools[int(keys["number"])] = Pool(int(keys.get("capacity", 0)), int(keys.get("overdraft", "0%").rstrip("%")),
                                              duration(keys.get("borrow", "0")))
        elif kind == "policy":
            keep = duration(keys.get("audit-keep", "400d"))
    return Pack(products, pools, keep, {product: names[pool] for product, pool in pool_of.items()})


def verify_minisig(octets, signature, keys):
    """minisign(1): of the file's BLAKE2b-512, or of the file; then of the signature and its comment."""
    lines = signature.decode().split("\n")
    raw, whole = base64.b64decode(lines[1]), base64.b64decode(lines[3])
    comment = lines[2].removeprefix("trusted comment: ").encode()
    need(raw[2:10] in keys, "a pack of another publisher", "KMS_E_PUBLISHER")
    key, said = keys[raw[2:10]], hashlib.blake2b(octets).digest() if raw[:2] == b"ED" else octets
    need(ed25519_ok(key, raw[10:], said) and ed25519_ok(key, whole, raw[10:] + comment), "a pack", "KMS_E_SIGNATURE")


# Entries ---------------------------------------------------------------------------------------

def lowest(limits):
    """0 is no limit."""
    return min((n for n in limits if n), default=0)


class Judge:
    """Looks at each entry of a file that begins with the batch `first`."""

    def __init__(self, findings, chain, keys, certificates, packs):
        self.findings, self.chain, self.keys = findings, chain, keys
        self.certificates, self.packs, self.pack = certificates, packs, None
        self.counting, self.commitments = Counting(keys), {}
        self.with_certificate, self.with_rotation = [], []      # (batch, octets)
        self.held = {}                                          # {CMID: batch}
        self.reclaim = None                                     # the RECLAIM of the entry before

    def entry(self, header, before, index, e):
        """before: the header of the batch before, None in the first of a file."""
        n = header.number
        place = header.host_id, n, index
        if index == 0:
            self.reclaim = None
        self.won(n, e, index + 1 == header.size)
        if e.client:
            if e.client.key_id in self.keys:
                self.marks(n, e.client)
            self.client(n, e.client, place)
        elif e.decision:
            late = self.counting.overridden(e.decision.cmid, (e.decision.through, 1, *place)) and e.decision.cmid in self.commitments
            self.findings.add("unexplained", "uncounted", n, int(late and e.kind in (REVOKE, UNREVOKE, FORGET, RECLAIM)))
            self.counting.decision(e, place)
            if e.kind == HOLD:
                self.held.setdefault(e.decision.cmid, n)
        elif e.kind == POLICY and e.subject[:8] in self.keys:
            self.pack = self.packs.get(e.digest)
        elif e.kind == START:
            self.chain.starts.append((n, e.time))
        elif e.kind == RESTORED:
            self.chain.restored(self.findings, header, e)
        elif e.kind == WITNESS:
            self.chain.witnesses.append((n, e))
        elif e.kind == CLOCK:
            self.clock(n, before, e)
        elif e.kind in (CERTIFICATE, ROTATION):
            (self.with_certificate if e.kind == CERTIFICATE else self.with_rotation).append((n, e.blob))

    def won(self, n, e, last):
        """Behind the entry of a seat that was taken back comes that of the client that gets it."""
        r, c, self.reclaim = self.reclaim, e.client, e.decision if e.kind == RECLAIM else None
        if r and r.key_id in self.keys:
            got = c and c.kind in (LEASE, SEEN) and (c.cmid, c.pool, c.key_id) == (r.other, r.pool, r.key_id)
            self.findings.add("unexplained", "reclaim", n, int(not got))
        if last and self.reclaim and self.reclaim.key_id in self.keys:
            self.findings.add("unexplained", "reclaim", n)

    def settle(self):
        """When the whole file is known, and with it which clients are the publisher's."""
        for cmid, n in self.held.items():
            if cmid in self.commitments:
                self.findings.client("held", n, cmid)

    def clock(self, n, before, e):
        self.findings.add("note", "clock", n)
        if before and before.time != num(e.blob[:8]):
            self.findings.add("unexplained", "clock-other", n)

    def marks(self, n, c):
        for flag, kind in FLAGS:
            if c.flags & flag:
                self.findings.client(kind, n, c.cmid)
        name, source = self.commitments.get(c.cmid, (c.name, c.source))
        if name != c.name:
            self.findings.client("several-names", n, c.cmid)
        if source != c.source:
            self.findings.client("several-addresses", n, c.cmid)
        self.commitments[c.cmid] = c.name, c.source

    def client(self, n, c, place):
        if c.kind in (LEASE, SEEN) and c.key_id in self.keys:
            self.findings.add("unexplained", "uncounted", n, int(not self.counting.counts(c, place)))
            if self.pack:
                self.findings.add("unexplained", "pack-pool", n, int(self.pack.pool_of.get(c.product, c.pool) != c.pool))
        more = self.counting.client(c, place)
        if c.kind == LEASE and c.key_id in self.keys:
            self.lease(n, c)
        limit = self.capacity(c) if c.kind in (LEASE, SEEN) and c.key_id in self.keys else 0
        whole = self.chain.first.number == 1
        count = self.counting.pool(c.pool).count(c.time // 60) if whole else c.count
        if limit and whole and more is None:
            self.findings.add("unexplained", "recount", n)
        elif limit and (more or not whole) and count > limit:
            within = count <= limit + self.overdraft(c, limit)
            self.findings.add(*("note", "overdraft") if within else ("unexplained", "capacity"), n)

    def pool(self, c):
        return self.pack.pools.get(c.pool) if self.pack else None

    def overdraft(self, c, limit):
        pool = self.pool(c)
        return -(-limit * pool.overdraft // 100) if pool and c.flags & OVERDRAFT else 0

    def lease(self, n, c):
        if c.count < c.required:
            self.findings.add("contradiction", "threshold", n)
        if not self.covered(c):
            self.findings.add("unexplained", "not-covered", n)
        if self.pack and c.product in self.pack.products:
            validity, threshold = self.pack.products[c.product]
            pool = self.pool(c)
            if pool and c.flags & BORROWED:
                validity = max(validity, pool.borrow)
            self.findings.add("unexplained", "pack-validity", n, int(c.expires - c.time > validity))
            self.findings.add("unexplained", "pack-threshold", n, int(min(c.count, c.required) < threshold))

    def covered(self, c):
        return any(c.product in k.products and k.not_before <= c.time and c.time <= k.not_after and k.not_before <= c.expires <= k.not_after
                   for k in self.certificates)

    def capacity(self, c):
        sold = [k.capacity for k in self.certificates
                if c.product in k.products and k.not_before <= c.time <= k.not_after and k.issued <= c.time + CLOCK_FAR]
        bought = 0 if 0 in sold else max(sold, default=0)
        return lowest([bought, self.pool(c).capacity if self.pool(c) else 0])
