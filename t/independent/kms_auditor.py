#!/usr/bin/env python3
"""What an audit file proves, after kms.audit(5), kms.journal(5) and kms-protocol(7) alone: a second reading of those pages, made to
find out what they leave open.  No line of it comes from kmsissue.

    kms_auditor.py FILE... --publisher-key RW... [--last NUMBER:HASH] [--from T] [--until T] [--host ID] [--lease FILE]... [--policy FILE]...

    kms_auditor.py -    the same for each line of standard input, which holds the arguments

T is a date or a time such as 2026-11-23T14:00:00Z.  It prints one "name: value" a line, of a finding its grade, kind, batch and count.
The exit status is that of kmsissue audit verify: 0, 1 refused or the beginning is not proved (the line "status:" names the error),
3 findings above a note; "exit:" says it, too, and is the last line."""

import argparse
import calendar
import hashlib
import re
import sys
import time
import uuid
from collections import defaultdict, namedtuple

import kms_base
import kms_figures
import kms_findings
from kms_findings import Chain, Findings, Judge, read_pack, verify_lease_of, verify_minisig
from kms_wire import (CLOCK_FAR, KmsError, Reader, commitments, ed25519_ok, host_id_of, leaf_hash, merkle_root, need, plain_text,
                      publisher_key, read_aside, read_batch_header, read_certificate, read_client_entry, tail)

FLAG_NAMES = 1
CERTIFICATE, ROTATION = 1, 2
FOREVER = 2**64 - 1
LEASE = 1
CLIENT_KINDS = (1, 2, 3, 4)
NAMED_KINDS = [bytes([kind]) for kind in (*CLIENT_KINDS, 24, 27, 41)]
REVOKE, UNREVOKE, FORGET, RECLAIM, HOLD, ERASE, EXPIRE = range(32, 39)
# Kinds about the host, its files and its relay: the length of their blobs; None: from 1 to 3338, or as read_counters, read_base and
# read_heard say.
BLOBS = {16: 32, 17: 0, 18: None, 19: 0, 22: 0, 24: 39, 25: 232, 26: 4, 27: 28, 28: 172, 29: 17, 30: 16, 40: None, 41: None,
         48: 1, 49: None, 50: 30, 51: 1, 52: 22}
RELAYED, RELAYED_NAME, RESTORED, COUNTERS, BASE = 24, 27, 29, 40, 41
SHARE, HEARD, GIVE, ALONE, HELD = range(48, 53)
# Parts of a base: least and most octets of the blob; and the kinds that it keeps as they were.
PARTS = {1: (98, 98), 2: (42, 8124), 3: (265, 265), 4: (237, 237), 5: (2, 2), 6: (26, 8124), 7: (14, 14)}
KEPT, ROW_OF_SOURCE, ROW_OF_CLIENT = 2, 3, 4
KEPT_KINDS = (16, 17, 18, 19, 22, 25, 26, 28, 29, 30, HOLD)
LONGEST_ENTRY, LONGEST_ASIDE, MOST_ITEMS, MOST_DOCUMENTS, MOST_ROTATIONS = 8192, 163, 1024, 1000, 32
MOST_CERTIFICATES = 64     # that are printed

Head = namedtuple("Head", "flags host first last begins ends")
Batch = namedtuple("Batch", "header signature octets items")
Entry = namedtuple("Entry", "kind time client subject digest blob decision")
Decision = namedtuple("Decision", "cmid counter through other key_id pool")
Known = namedtuple("Known", "number digest")
Rotation = namedtuple("Rotation", "old_id old new_id new starts until")


# The file --------------------------------------------------------------------------------------

def read_head(r):
    """The head and its documents, [(kind, octets)]."""
    need(r.octets[:8] in (b"KMSAUDIT", b"KMSAUDI1"), "not an audit file")
    need(r.raw(8) == b"KMSAUDIT" and r.num(2) == 2, "another version", "KMS_E_SCHEMA")
    flags = r.num(2)
    need(flags & ~FLAG_NAMES == 0, "an unknown flag", "KMS_E_SCHEMA")
    head = Head(flags, r.raw(16), r.num(8), r.num(8), r.num(8), r.num(8))
    n = r.num(2)
    need(n <= MOST_DOCUMENTS, "more than 1000 documents")
    documents = []
    for _ in range(n):
        kind, length = r.num(1), r.num(2)
        need(kind in (CERTIFICATE, ROTATION), "a document of an unknown kind", "KMS_E_SCHEMA")
        documents.append((kind, r.raw(length)))
    kinds = [kind for kind, _ in documents]
    need(kinds == sorted(kinds), "a certificate behind a rotation")
    return head, documents


def read_batches(r, flags):
    while r.at < len(r.octets):
        n = r.num(4)
        octets, signature, items = r.raw(108), r.raw(64), Reader(r.raw(n))
        header, pairs = read_batch_header(octets), []
        need(header.size <= MOST_ITEMS, "more than 1024 items")
        try:
            for _ in range(header.size):
                entry = items.raw(items.num(2))
                pairs.append((entry, items.raw(items.num(1))))
            items.end()
        except KmsError:
            raise KmsError("KMS_E_FORMAT", f"batch {header.number}: items and their length differ") from None
        for entry, aside in pairs:
            need(len(entry) <= LONGEST_ENTRY and len(aside) <= LONGEST_ASIDE, "an item that is too long")
            need(not aside or flags & FLAG_NAMES and entry[1:2] in NAMED_KINDS, "an aside where none may be")
        yield Batch(header, signature, octets, pairs)


# Documents -------------------------------------------------------------------------------------

def read_rotation(octets):
    need(len(octets) == 232, "length of a rotation")
    r = Reader(octets[8:])
    s = Rotation(r.raw(8), r.raw(32), r.raw(8), r.raw(32), r.num(8), r.num(8))
    need(octets[:8] == b"KMSROTA1" and s.old_id != s.new_id and s.starts <= s.until
         and ed25519_ok(s.old, octets[104:168], octets[:104]) and ed25519_ok(s.new, octets[168:], octets[:168]),
         "a rotation", "KMS_E_SIGNATURE")
    return s


def joins(chain, s, publisher):
    """Where the statement goes: None, nowhere."""
    if (s.old_id, s.old) == ((chain[-1].new_id, chain[-1].new) if chain else publisher):
        return len(chain) if not chain or chain[-1].starts <= s.starts else None
    if (s.new_id, s.new) == ((chain[0].old_id, chain[0].old) if chain else publisher):
        return 0 if not chain or s.starts <= chain[0].starts else None
    return None


def publisher_chain(publisher, statements):
    """Statements and the publisher's key in one chain; one that has no place in it is refused, wherever it is in the file."""
    need(len(statements) <= MOST_ROTATIONS, "more than 32 rotations", "KMS_E_LIMIT")
    left, chain = [read_rotation(octets) for octets in dict.fromkeys(statements)], []
    while left:
        s = next((s for s in left if fits(chain, s, publisher)), None)
        need(s, "a rotation that is none of the publisher's", "KMS_E_SIGNATURE")
        chain.insert(joins(chain, s, publisher), s)
        left.remove(s)
    return chain


def fits(chain, s, publisher):
    """In a place where no key id is there twice."""
    at = joins(chain, s, publisher)
    if at is None:
        return False
    longer = chain[:at] + [s] + chain[at:]
    ids = [s.old_id for s in longer] + [longer[-1].new_id]
    return len(set(ids)) == len(ids)


def keys_of(publisher, chain):
    """{key id: key}"""
    return {publisher.key_id: publisher.key, **{s.old_id: s.old for s in chain}, **{s.new_id: s.new for s in chain}}


def read_certificates(octets_of, keys):
    certificates = []
    for octets in octets_of:
        c = read_certificate(octets)
        need(c.key_id in keys, "a certificate of another publisher", "KMS_E_PUBLISHER")
        need(ed25519_ok(keys[c.key_id], c.signature, c.signed), "a certificate", "KMS_E_SIGNATURE")
        certificates.append(c)
    need(certificates, "no host certificate", "KMS_E_NOT_CONFIRMED")
    need(all(a.serial < b.serial for a, b in zip(certificates, certificates[1:])), "certificates are not in order")
    need(all(c.signing == certificates[0].signing for c in certificates), "certificates of two hosts", "KMS_E_UNKNOWN_HOST")
    return certificates


# Entries ---------------------------------------------------------------------------------------

def read_entry(octets):
    """Of any kind; KMS_E_SCHEMA: by another version."""
    try:
        return read_any_entry(octets)
    except KmsError as bad:
        raise KmsError("KMS_E_SCHEMA" if bad.name == "KMS_E_SCHEMA" else "KMS_E_FORMAT", "an entry: " + bad.why) from None


def read_any_entry(octets):
    r = Reader(octets)
    need(r.num(1) == 2, "version of an entry", "KMS_E_SCHEMA")
    kind, flags, status, when = r.num(1), r.num(2), r.num(4), r.num(8)
    if kind in CLIENT_KINDS:
        return Entry(kind, when, read_client_entry(octets), None, None, None, None)
    need(kind in BLOBS or REVOKE <= kind <= EXPIRE, "kind of an entry", "KMS_E_SCHEMA")
    need(flags == 0, "flags of an entry", "KMS_E_SCHEMA")
    if kind in BLOBS:
        need(status == 0, "status of an entry")
        return read_host_entry(r, kind, when)
    return Entry(kind, when, None, None, None, None, read_decision(r, kind, status, when))


def read_host_entry(r, kind, when):
    subject, digest = r.raw(16), r.raw(32)
    text = plain_text(r.raw(r.num(2)))
    blob = r.raw(r.num(2))
    if kind == COUNTERS:
        read_counters(blob)
    elif kind == HEARD:
        read_heard(blob, subject)
    elif kind == BASE:
        read_base(blob)
    else:
        need(BLOBS[kind] == len(blob) or BLOBS[kind] is None and 1 <= len(blob) <= 3338, "length of a blob")
    need(kind != RESTORED or 1 <= blob[16] <= 3, "cause of a RESTORED")
    if kind >= SHARE:
        need(not any(digest), "digest of an entry of a share")
        check_share(kind, when, subject, text, blob)
    tail(r.rest(), LONGEST_ENTRY)
    return Entry(kind, when, None, subject, digest, blob, None)


def read_counters(blob):
    """Of COUNTERS: 1 to 400 of 16 octets, ascending, none with zero as status or number."""
    count, rest = divmod(len(blob) - 4, 16)
    need(rest == 0 and 1 <= count <= 400, "length of a blob")
    rows = [blob[at:at + 16] for at in range(4, len(blob), 16)]
    need(all(row[10:12] != b"\0\0" and row[12:] != bytes(4) for row in rows), "a counter of nothing")
    need(all(a[:12] < b[:12] for a, b in zip(rows, rows[1:])), "order of counters")


def read_heard(blob, subject):
    """Of HEARD: 1 to 64 of 56 octets, ascending by host, none of the host itself or of batch 0."""
    count, rest = divmod(len(blob), 56)
    need(rest == 0 and 1 <= count <= 64, "length of a blob")
    rows = [blob[at:at + 56] for at in range(0, len(blob), 56)]
    need(all(any(row[16:24]) and row[:16] != subject for row in rows), "a batch that cannot be heard")
    need(all(a[:16] < b[:16] for a, b in zip(rows, rows[1:])), "order of hosts that were heard")
    return [(row[:16], int.from_bytes(row[16:24], "big"), row[24:]) for row in rows]


def check_share(kind, when, subject, text, blob):
    """Of the kinds 48 to 52."""
    if kind == SHARE:
        need(re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", text), "name of a share")
    else:
        need(len(text.encode()) <= (100 if kind == ALONE and blob[0] else 0), "text of an entry of a share")
    need(kind not in (SHARE, ALONE) or blob[0] <= 1, "octet of a SHARE or ALONE")
    need(kind != GIVE or (any(blob[26:]) and blob[10:26] != subject), "rights that cannot be given")
    need(kind != HELD or (any(blob[10:14]) and int.from_bytes(blob[14:], "big") > when), "rights that cannot be held")


def read_base(blob):
    """A part of a base; an entry that it keeps is one of these kinds, and well formed."""
    need(len(blob) >= 2, "length of a blob")
    need(blob[0] in PARTS and blob[1] == 1, "part of a base", "KMS_E_SCHEMA")
    least, most = PARTS[blob[0]]
    need(least <= len(blob) <= most, "length of a blob")
    if blob[0] == KEPT:
        need(read_any_entry(blob[26:]).kind in KEPT_KINDS, "kind of an entry that is kept")


def read_decision(r, kind, status, when):
    """Of the kinds 32 to 38."""
    need(status == {HOLD: 11, RECLAIM: 29}.get(kind, 0), "status of an entry")
    cmid, counter, through, value, other, seat = r.raw(16), r.num(8), r.num(8), r.num(8), r.raw(16), r.raw(28)
    reason = plain_text(r.raw(r.num(1)))
    tail(r.rest(), LONGEST_ENTRY)
    need(counter >= 1, "counter of an entry")
    need(len(reason.encode()) <= 100 and not (kind == EXPIRE and reason), "reason of an entry")
    need({ERASE: through == 0, EXPIRE: 1 <= through <= 7}.get(kind, through <= 2**62), "through of an entry")
    need(kind == ERASE or any(cmid) == (kind != EXPIRE), "client of an entry")
    need({HOLD: value > 0, ERASE: value <= when, EXPIRE: value <= when}.get(kind, value == 0), "value of an entry")
    need(any(other) == (kind == RECLAIM), "who gets the seat")
    need(kind not in (HOLD, ERASE, EXPIRE) or not any(seat), "an entry that ends no seat has one")
    return Decision(cmid, counter, through, other, seat[16:24], int.from_bytes(seat[24:26], "big"))


def names_match(entry, aside):
    """False: the aside is not what the entry commits to.  One that is erased or malformed says nothing."""
    try:
        names = read_aside(aside)
    except KmsError:
        return True
    if names is None:
        return True
    name, user, source = commitments(names)
    if entry.client:
        return (name, user, source) == (entry.client.name, entry.client.user, entry.client.source)
    if entry.kind == BASE:
        return entry.blob[0] in (ROW_OF_SOURCE, ROW_OF_CLIENT) and matches_row(names, entry.blob[10:58])
    if entry.kind == RELAYED:
        return source == entry.subject and not names.name and not names.user
    return (source, name) == (entry.subject, entry.digest[:16]) and not names.user


def matches_row(names, committed):
    """A row that a base restates: a name that is not known is committed to as zeros."""
    name, user, source = commitments(names)
    return committed in (name + user + source, bytes(16) + user + source if not names.name else None)


# The audit -------------------------------------------------------------------------------------

class Audit:
    """What was found so far, batch by batch."""

    def __init__(self, certificates, keys, period, packs):
        self.signing, self.keys, self.period = certificates[0].signing, keys, period
        self.certificates, self.host = certificates, host_id_of(certificates[0].signing)
        self.first = self.last = None                       # headers
        self.clients, self.leases = defaultdict(set), defaultdict(int)
        self.batches = self.entries = 0
        self.asides, self.acts, self.uncovered = 0, 0, 0
        self.share = []                                     # (place, entry) of the kinds 48 to 52
        self.findings, self.chain, self.beginning = Findings(), Chain(), "not proved"
        self.judge = Judge(self.findings, self.chain, keys, certificates, packs)
        self.bases = kms_base.Bases(self.signing)
        self.hashes, self.figures = self.chain.hashes, kms_figures.Figures(keys)

    def batch(self, b):
        h, before = b.header, self.last
        need(h.host_id == self.host, f"batch {h.number} is of another host", "KMS_E_UNKNOWN_HOST")
        need(ed25519_ok(self.signing, b.signature, b.octets), f"batch {h.number}", "KMS_E_SIGNATURE")
        if before:
            need(h.number == before.number + 1 and h.before == self.hashes[before.number],
                 f"batch {h.number} follows batch {before.number}", "KMS_E_CHAIN")
        else:
            self.first = self.chain.first = h
            self.hashes[h.number - 1] = h.before
        need(merkle_root([leaf_hash(e) for e, _ in b.items]) == h.root, f"entries of batch {h.number}", "KMS_E_ALTERED")
        self.last = h
        self.batches, self.entries = self.batches + 1, self.entries + len(b.items)
        self.hashes[h.number] = hashlib.sha256(b.octets).digest()
        self.chain.times[h.number] = h.time
        self.bases.batch(h)
        kinds = [self.entry(h, before, index, read_entry(octets), aside) for index, (octets, aside) in enumerate(b.items)]
        if before and h.time < before.time:
            excused = before.time - h.time <= kms_findings.CLOCK_NOTE or kms_findings.CLOCK in kinds
            self.findings.add("note" if excused else "unexplained", "time-back", h.number)

    def entry(self, h, before, index, e, aside):
        if abs(e.time - h.time) > CLOCK_FAR:
            self.findings.add("unexplained", "entry-far", h.number)
        self.asides += len(aside) > 0
        self.acts += e.kind in CLIENT_KINDS
        if not names_match(e, aside):
            self.findings.add("unexplained", "names-differ", h.number)
        self.judge.entry(h, before, index, e)
        if e.kind == BASE:
            self.bases.entry(h, e, read_entry)
        if e.kind >= SHARE:
            self.share.append(((h.host_id, h.number, index), e))
        self.figures.entry(e, (h.host_id, h.number, index))
        begins, ends = self.period
        if e.kind == LEASE and e.client.key_id in self.keys and begins <= e.time <= ends:
            self.clients[e.client.product].add(e.client.cmid)
            self.leases[e.client.product] += 1
            self.uncovered += not self.judge.covered(e.client)
        return e.kind

    def check_head(self, head):
        wrong = {
            "head-host": head.host != self.host,
            "head-batches": (head.first, head.last) != (self.first.number, self.last.number),
            "head-period": head.begins > head.ends or self.batches > 1 and self.first.number != 1 and self.first.time >= head.begins,
            "head-names": head.flags & FLAG_NAMES and self.acts and not self.asides}
        for kind, is_wrong in wrong.items():
            self.findings.add("unexplained", kind, 0, int(bool(is_wrong)))

    def check_begun(self):
        if self.first.number == 1 and self.first.time > min(c.issued for c in self.certificates) + CLOCK_FAR:
            self.findings.add("unexplained", "begun-anew", 1)

    def check_documents(self, documents, publisher, chain, ends):
        rotations = [octets for kind, octets in documents if kind == ROTATION]
        once = list(dict.fromkeys(rotations))
        in_order = [once[[read_rotation(o) for o in once].index(s)] for s in chain]
        self.findings.add("unexplained", "document-repeated", 0, len(rotations) - len(once))
        self.findings.add("unexplained", "document-order", 0, sum(a != b for a, b in zip(once, in_order)))
        if self.first.number == 1:
            have = {octets for _, octets in self.judge.with_certificate + self.judge.with_rotation}
            alone = sum(octets not in have for octets in dict.fromkeys(octets for _, octets in documents))
            self.findings.add("unexplained" if ends == FOREVER else "note", "document-alone", 0, alone)
        self.check_entries({octets for _, octets in documents}, publisher, chain)

    def check_entries(self, documents, publisher, chain):
        for n, octets in self.judge.with_certificate:
            try:
                c = read_certificate(octets)
            except KmsError:
                continue
            if c.key_id in self.keys:
                true = ed25519_ok(self.keys[c.key_id], c.signature, c.signed)
                self.findings.add("unexplained", "entry-alone", n, int(not true or octets not in documents))
        for n, octets in self.judge.with_rotation:
            try:
                longer = octets not in documents and fits(chain, read_rotation(octets), publisher)
            except KmsError:
                longer = False
            self.findings.add("unexplained", "entry-alone", n, int(longer))

    def check_known(self, known):
        if known:
            n = known.number
            need(self.first.number - 1 <= n <= self.last.number, f"the file does not reach batch {n}", "KMS_E_MISSING")
            need(self.hashes[n] == known.digest, f"another batch {n} is known", "KMS_E_CHAIN")
            self.beginning = "known batch"
        if self.first.number == 1:
            self.beginning = "batch 1"

    def check_base(self, asked):
        least = max(asked, default=kms_findings.duration("400d"))
        if self.bases.settle(self.findings, self.first, least) and self.beginning == "not proved":
            self.beginning = "base"

    def days(self):
        """Those of the period that the file has, and its first time."""
        first = max(self.first.time, self.period[0])
        return self.figures.days(first, min(self.last.time, self.period[1])), first

    def check_leases(self, leases):
        """Of their files; those of other hosts are no matter."""
        for lease in leases:
            place = self.chain.place(lease) if lease.signing == self.signing else "of another host"
            if place in ("of another chain", "after the end of the file"):
                self.findings.add(self.chain.grade(lease.header, lease.digest), "lease", 0)
            yield place


def read_lease(octets, publisher):
    """Of a file that somebody sent."""
    need(octets[:6] == b"KMSLEA", "not a lease file")
    need(octets[:8] == b"KMSLEAS3", "another version of a lease file", "KMS_E_SCHEMA")
    r = Reader(octets[8:])
    try:
        chain = publisher_chain(publisher, [r.raw(232) for _ in range(r.num(1))])
    except KmsError as bad:
        raise KmsError("KMS_E_PUBLISHER", "a lease of another publisher, " + bad.why) from None
    return verify_lease_of(r.raw(r.num(2)), r.rest(), keys_of(publisher, chain))


def audit(octets, publisher, period, known=None, host=None, leases=(), packs=()):
    """leases: octets of files; packs: [(octets, those of its signature)]"""
    r = Reader(octets)
    head, documents = read_head(r)
    chain = publisher_chain(publisher, [d for kind, d in documents if kind == ROTATION])
    keys = keys_of(publisher, chain)
    for pack, signature in packs:
        verify_minisig(pack, signature, {publisher.key_id: publisher.key})
    a = Audit(read_certificates([d for kind, d in documents if kind == CERTIFICATE], keys), keys, period,
              {hashlib.sha256(pack).digest(): read_pack(pack) for pack, _ in packs})
    need(host in (None, a.host), "the journal of another host", "KMS_E_UNKNOWN_HOST")
    for b in read_batches(r, head.flags):
        a.batch(b)
    need(a.last, "no batch", "KMS_E_MISSING")
    a.check_known(known)
    a.check_base([read_pack(pack).keep for pack, _ in packs])
    a.check_head(head)
    a.check_begun()
    a.check_documents(documents, publisher, chain, head.ends)
    a.judge.settle()
    a.chain.settle(a.findings, a.host, a.signing)
    a.places = list(a.check_leases([read_lease(lease, publisher) for lease in leases]))
    return a


def stamp(when):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def date(day):
    return stamp(day * kms_figures.DAY)[:10]


def report(a):
    yield "host", a.host.hex()
    yield "beginning", a.beginning
    yield "first-batch", a.first.number
    yield "first-time", stamp(a.first.time)
    yield "last-batch", a.last.number
    yield "last-time", stamp(a.last.time)
    yield "batches", a.batches
    yield "entries", a.entries
    yield "last", f"{a.last.number}:{a.hashes[a.last.number].hex()}"
    for c in a.certificates[-MOST_CERTIFICATES:]:
        yield "certificate", f"{c.serial} {uuid.UUID(bytes=c.host_key)} {c.key_id.hex()} {c.confirmation} {c.group} {c.customer}"
    for product in sorted(a.clients):
        yield "product", f"{uuid.UUID(bytes=product)} {len(a.clients[product])} {a.leases[product]}"
    for place in a.places:
        yield "lease-file", place
    days, first = a.days()
    for pool, counted, counted_on, holding, holding_on in kms_figures.most(days, first):
        yield "pool", f"{pool} {counted} {date(counted_on)} {holding} {date(holding_on)}"
    for pool, day, counted, holding in days:
        yield "day", f"{pool} {date(day)} {counted} {holding}"
    yield "clients", len(set().union(*a.clients.values()))
    yield "leases", sum(a.leases.values())
    yield "leases-not-covered", a.uncovered
    yield "goes-beyond-period", "yes" if a.last.time > a.period[1] else "no"
    lines = a.findings.sorted()
    yield "worst", lines[0][0] if lines else "none"
    yield "finding-count", len(lines)
    for line in lines:
        yield "finding", " ".join(str(member) for member in line)


def known_batch(text):
    number, _, digest = text.partition(":")
    raw = bytes.fromhex(digest)
    if int(number) < 1 or len(raw) != 32:
        raise ValueError(text)
    return Known(int(number), raw)


def moment(text, of_day):
    text = text if "T" in text else f"{text}T{of_day}Z"
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def parser():
    p = argparse.ArgumentParser()
    p.add_argument("files", nargs="+")
    p.add_argument("--publisher-key", required=True)
    p.add_argument("--last", type=known_batch)
    p.add_argument("--from", dest="begins", type=lambda t: moment(t, "00:00:00"), default=0)
    p.add_argument("--until", "--to", type=lambda t: moment(t, "23:59:59"), default=2**64 - 1)
    p.add_argument("--host", type=bytes.fromhex)
    p.add_argument("--lease", action="append", default=[])
    p.add_argument("--policy", action="append", default=[])
    return p


def contents(path):
    with open(path, "rb") as f:
        return f.read()


def packs_of(o):
    return [(contents(path), contents(path + ".minisig")) for path in o.policy]


def one_file(arguments):
    """Prints what the file proves; the exit status."""
    o = parser().parse_intermixed_args(arguments)
    if len(o.files) > 1:
        import kms_several
        return kms_several.all_files(o)
    try:
        a = audit(contents(o.files[0]), publisher_key(o.publisher_key), (o.begins, o.until), o.last, o.host,
                  [contents(path) for path in o.lease], packs_of(o))
    except KmsError as bad:
        print(f"status: {bad.name}\nwhy: {bad}\nexit: 1")
        return 1
    proved = a.beginning != "not proved"
    print("status:", "KMS_OK" if proved else "KMS_E_NOT_PROVED")
    for name, value in report(a):
        print(f"{name}: {value}")
    above_a_note = any(grade != "note" for grade, *_ in a.findings.lines)
    exit_status = 3 * above_a_note if proved else 1
    print(f"exit: {exit_status}")
    return exit_status


def main():
    if sys.argv[1:] != ["-"]:
        return one_file(sys.argv[1:])
    for line in sys.stdin:
        one_file(line.split())
    return 0


if __name__ == "__main__":
    sys.exit(main())
