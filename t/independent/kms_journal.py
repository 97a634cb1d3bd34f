#!/usr/bin/env python3
"""Verifies the segments of a journal, after kms.journal(5) alone: VERIFYING, and A JOURNAL THAT ENDS TOO EARLY.

    kms_journal.py STATE-DIRECTORY [--key HEX] [--audit FILE]

Without the host's signing key it takes that of the first START: then the journal is whole, but not whose it is.  With an audit file, its
batches must be in the journal, octet for octet.  It prints one "name: value" a line, like kms_auditor.py; the exit status is 0 or 1."""

import argparse
import glob
import hashlib
import os
import sys
from collections import namedtuple

from kms_auditor import LONGEST_ASIDE, LONGEST_ENTRY, NAMED_KINDS, contents, names_match, read_batches, read_entry, read_head
from kms_findings import START
from kms_wire import CLOCK_FAR, KmsError, Reader, ed25519_ok, host_id_of, leaf_hash, merkle_root, need, read_batch_header

SECTOR, MOST_ITEMS_OCTETS, FARTHEST, HEAD, FOOT = 512, 655360, 655872, 204, 64
END = b"KMSJEND\xa5"

Segment = namedtuple("Segment", "number before batches footer torn")
Record = namedtuple("Record", "header signature items")


def digest(octets):
    return hashlib.sha256(octets).digest()


def altered(condition, why):
    need(condition, why, "KMS_E_ALTERED")


def zeros(octets):
    return not any(octets)


# Segments --------------------------------------------------------------------------------------

def read_segment(octets, number, newest):
    altered(octets[:8] == b"KMSJSEG1" and octets[56:72] == digest(octets[:56])[:16] and zeros(octets[96:SECTOR]) and len(octets) >= SECTOR,
            f"header of segment {number}")
    r = Reader(octets[8:56])
    need(r.num(4) == 2, "schema of a segment", "KMS_E_SCHEMA")
    altered(r.num(4) == SECTOR and r.num(8) == number, f"header of segment {number}")
    at, batches, before, footer = SECTOR, [], r.raw(32), None
    while octets[at:at + 8] == b"KMSJBAT1" and not (newest and is_torn(octets, at)):
        record, length = read_record(octets, at)
        batches.append(record)
        at += length
    if octets[at:at + 8] == b"KMSJNEXT":
        footer, at = read_footer(octets[at:at + SECTOR]), at + SECTOR
    torn = newest and not footer and is_torn(octets, at)
    altered(torn or zeros(octets[at:]), f"octets behind the last batch of segment {number}")
    return Segment(number, before, batches, footer, torn)


def length_of(octets, at):
    """Of a record whose head holds."""
    n = int.from_bytes(octets[at + 12:at + 16], "big")
    return (216 + n + SECTOR - 1) // SECTOR * SECTOR


def head_holds(octets, at):
    head = octets[at:at + HEAD]
    return len(head) == HEAD and head[:8] == b"KMSJBAT1" and head[188:] == digest(head[:188])[:16]


def foot_holds(octets, at):
    foot = octets[at:at + FOOT]
    return len(foot) == FOOT and foot[:8] == b"KMSJNEXT" and foot[48:] == digest(foot[:48])[:16]


def read_record(octets, at):
    altered(head_holds(octets, at), f"head of the record at {at}")
    r = Reader(octets[at + 8:])
    length, n = r.num(4), r.num(4)
    altered(n <= MOST_ITEMS_OCTETS and length == length_of(octets, at) and at + length <= len(octets), f"lengths of the record at {at}")
    header, signature = r.raw(108), r.raw(64)
    r.raw(16)
    items, end = r.raw(n), octets[at + length - 12:at + length]
    altered(zeros(octets[at + HEAD + n:at + length - 12]) and end == length.to_bytes(4, "big") + END, f"end of the record at {at}")
    return Record(header, signature, items), length


def read_footer(octets):
    """(number of the next batch, hash of the last)"""
    altered(foot_holds(octets, 0) and zeros(octets[FOOT:504]) and octets[504:] == END, "a footer")
    return int.from_bytes(octets[8:16], "big"), octets[16:48]


def is_torn(octets, at):
    """In the newest segment, where a record would begin."""
    rest = octets[at:at + FARTHEST]
    if zeros(rest) or any(head_holds(octets, other) or foot_holds(octets, other) for other in range(at + SECTOR, at + len(rest), SECTOR)):
        return False
    if head_holds(octets, at):
        length = length_of(octets, at)
        record = octets[at:at + length]
        hole = any(zeros(record[s:s + SECTOR]) for s in range(0, len(record), SECTOR))
        return at + length > len(octets) or record[-1] == 0 and hole
    return zeros(rest[:HEAD]) or zeros(rest[511 if rest[:8] == b"KMSJNEXT" else HEAD:])


# Batches ---------------------------------------------------------------------------------------

def read_items(record):
    """[(entry, aside)]"""
    r, items = Reader(record.items), []
    try:
        while r.at < len(record.items):
            items.append((r.raw(r.num(2)), r.raw(r.num(1))))
    except KmsError:
        altered(False, "items of a batch")
    for entry, aside in items:
        altered(len(entry) <= LONGEST_ENTRY and len(aside) <= LONGEST_ASIDE and (not aside or entry[1:2] in NAMED_KINDS), "an item")
    return items


class Journal:
    def __init__(self, key=None, number=0, before=bytes(32)):
        self.key, self.number, self.hash, self.entries, self.other_names, self.torn = key, number, before, 0, 0, False
        self.batches = {}                       # {number: (header and signature, items)}

    def segment(self, s, expected):
        """expected: what the footer before it names."""
        need((s.number, s.before) == expected, f"segment {s.number} does not follow", "KMS_E_CHAIN")
        for record in s.batches:
            self.batch(record)
        self.torn = self.torn or s.torn
        need(s.footer in (None, (self.number + 1, self.hash)), "a footer that names another batch", "KMS_E_CHAIN")

    def batch(self, record):
        h, items = read_batch_header(record.header), read_items(record)
        need((h.number, h.before) == (self.number + 1, self.hash), f"batch {h.number} follows batch {self.number}", "KMS_E_CHAIN")
        altered(len(items) == h.size and merkle_root([leaf_hash(e) for e, _ in items]) == h.root, f"entries of batch {h.number}")
        entries = [read_entry(e) for e, _ in items]
        self.key = self.key or next(e.blob for e in entries if e.kind == START)
        altered(h.host_id == host_id_of(self.key) and ed25519_ok(self.key, record.signature, record.header), f"signature of batch {h.number}")
        altered(all(abs(e.time - h.time) <= CLOCK_FAR for e in entries), f"the time of an entry of batch {h.number}")
        self.other_names += sum(not names_match(e, aside) for e, (_, aside) in zip(entries, items))
        self.number, self.hash, self.entries = h.number, digest(record.header), self.entries + len(items)
        self.batches[h.number] = record.header + record.signature, items

    def exported(self, octets):
        """How many batches of an audit file there are; each is one of the journal."""
        r, n = Reader(octets), 0
        head, _ = read_head(r)
        for n, b in enumerate(read_batches(r, head.flags), 1):
            signed, items = self.batches.get(b.header.number, (None, []))
            mine = [(e, aside if head.flags else b"") for e, aside in items]
            altered(signed == b.octets + b.signature and mine == b.items, f"batch {b.header.number} of the audit file is another one")
        return n


def beginning(directory, name):
    """(number of the first batch, hash before it): batch 1, or one that continues what was dropped."""
    number = int(os.path.basename(name)[:-4])
    if number <= 1 or not os.path.exists(dropped := os.path.join(directory, "kmsdb/journal/dropped")):
        return 1, bytes(32)
    octets, before = contents(dropped), contents(name)[24:56]
    need(octets[:16] == b"KMSJDROP" + bytes((0, 0, 0, 1)) + bytes(4), "another version of what was dropped", "KMS_E_SCHEMA")
    need(octets[16 * (number - 1):16 * number] == before[:16], f"the segment before {number} is missing", "KMS_E_MISSING")
    return number, before


def read_journal(directory, key):
    names = sorted(glob.glob(os.path.join(directory, "kmsdb/journal/*.seg")))
    need(names, "no segment", "KMS_E_MISSING")
    expected = beginning(directory, names[0])
    journal = Journal(key, expected[0] - 1, expected[1])
    for name in names:
        newest = name == names[-1]
        number = int(os.path.basename(name)[:-4])
        need(expected and number == expected[0], f"the segment before {number} is missing", "KMS_E_MISSING")
        s = read_segment(contents(name), number, newest)
        journal.segment(s, expected)
        need(newest or s.footer, f"segment {number} has no footer", "KMS_E_ALTERED")
        expected = s.footer
    need(not expected, "the last segment is missing", "KMS_E_MISSING")
    return journal


def main():
    p = argparse.ArgumentParser()
    p.add_argument("directory")
    p.add_argument("--key", type=bytes.fromhex)
    p.add_argument("--audit")
    o = p.parse_args()
    try:
        j = read_journal(o.directory, o.key)
        exported = j.exported(contents(o.audit)) if o.audit else 0
    except KmsError as bad:
        print(f"status: {bad.name}\nwhy: {bad}\nexit: 1")
        return 1
    print(f"status: KMS_OK\nkey: {j.key.hex()}\nlast: {j.number}:{j.hash.hex()}\nentries: {j.entries}\nnames-differ: {j.other_names}")
    print(f"torn: {'yes' if j.torn else 'no'}\nexported: {exported}\nexit: 0")
    return 0


if __name__ == "__main__":
    sys.exit(main())
