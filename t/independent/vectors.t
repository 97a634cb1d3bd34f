#!/usr/bin/python3
"""Recomputes every golden vector of t/vectors with the independent Python reading of
kms-protocol(7).  The seeds, nonces and fields of the vectors go in, the octets must come out;
at the end, a vector that no test used is a failure.  Prints TAP."""

import base64
import hashlib
import os
import sys
import traceback

sys.dont_write_bytecode = True
import kms_wire as k  # noqa: E402
import nacl.bindings as sodium  # noqa: E402

SRC = os.environ.get("KMS_SRC") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
FILES = "keys client certificate exchange hello rotation request reply error batch entries lease minisign".split()
NOW = 1800000000


class Vectors(dict):
    """name -> octets, and the names that were asked for."""

    def __init__(self):
        super().__init__()
        self.used = set()
        for name in FILES:
            with open(os.path.join(SRC, "t/vectors", name + ".txt"), encoding="ascii") as f:
                for line in f:
                    if not line.startswith("#"):
                        key, value = line.strip().split(" = ")
                        self[key] = bytes.fromhex(value)

    def __getitem__(self, name):
        self.used.add(name)
        return super().__getitem__(name)


v = Vectors()
tests = failed = 0


def ok(good, name):
    global tests, failed
    tests += 1
    failed += not good
    print(("ok" if good else "not ok"), tests, "-", name, flush=True)


def same(got, want, name):
    ok(got == want, name)
    if got != want:
        show = [x.hex() if isinstance(x, bytes) else repr(x) for x in (got, want)]
        print(f"#  got {show[0]}\n# want {show[1]}")


def fails(call, status, name):
    try:
        call()
    except k.KmsError as e:
        same(e.name, status, name)
        return
    ok(False, name + ": nothing was refused")


def sign(seed, message):
    secret = sodium.crypto_sign_seed_keypair(seed)[1]
    return sodium.crypto_sign(message, secret)[:64]


def signing_public(seed):
    return sodium.crypto_sign_seed_keypair(seed)[0]


def keys():
    c, x = k.public_key(v["client_secret"]), k.public_key(v["host_exchange_secret"])
    same(c, v["client_public"], "client public key")
    same(k.cmid_of(c), v["cmid"], "CMID")
    same(x, v["host_exchange_public"], "host exchange key")
    s = signing_public(v["host_signing_seed"])
    same(s, v["host_signing_public"], "host signing key")
    same(k.host_id_of(s), v["host_id"], "host id")
    q = k.x25519(v["client_secret"], x)
    same(q, v["shared"], "shared secret, client's end")
    same(k.x25519(v["host_exchange_secret"], c), q, "shared secret, host's end")
    to_client, to_host = k.session_keys(q, c, x)
    same(to_client, v["session_to_client"], "key to-client")
    same(to_host, v["session_to_host"], "key to-host")
    p = signing_public(v["publisher_seed"])
    same(p, v["publisher_public"], "publisher's key")
    line = base64.b64encode(b"Ed" + v["publisher_id"] + p)
    same(line, v["publisher_key_line"], "publisher's key line")
    same(k.publisher_key(line.decode()), (v["publisher_id"], p), "key line read")
    fails(lambda: k.x25519(v["client_secret"], bytes(32)), "KMS_E_FORMAT",
          "a key of small order is refused")


def publisher():
    return k.publisher_key(v["publisher_key_line"].decode())


def certificate():
    c = k.verify_certificate(v["certificate"], publisher())
    fields = k.Certificate(
        v["publisher_id"], bytes(range(0x20, 0x30)), v["host_signing_public"],
        7, c.issued, c.not_before, c.not_after, 1000, 1, "standard",
        "M\u00fcller & Co", [bytes(range(0x50, 0x60)), bytes(range(0x70, 0x80))], b"", b"", b"")
    signed = k.write_certificate(fields)
    same(signed, v["certificate_signed"], "certificate, the part that is signed")
    signature = sign(v["publisher_seed"], signed)
    same(signature, v["certificate_signature"], "certificate's signature")
    same(signed + signature, v["certificate"], "certificate")
    fails(lambda: k.verify_certificate(v["certificate"][:-1], publisher()), "KMS_E_TRUNCATED",
          "a certificate that ends early")
    fails(lambda: k.verify_certificate(v["certificate"] + b"x", publisher()), "KMS_E_TRAILING",
          "a certificate with octets after it")
    bad = bytearray(v["certificate"])
    bad[68] ^= 1
    fails(lambda: k.verify_certificate(bytes(bad), publisher()), "KMS_E_SIGNATURE",
          "a certificate altered")
    fails(lambda: k.verify_certificate(v["certificate"], k.Publisher(bytes(8), bytes(32))),
          "KMS_E_PUBLISHER", "a certificate of another publisher")


def entitled():
    c = k.verify_certificate(v["certificate_entitled"], publisher())
    same(k.entitlements(c.tail), {"beta": "", "edition": "M\u00fcller special", "seats.extra": "25"},
         "entitlements")
    same(k.tlv(1, v["entitlements"]), c.tail, "entitlements are TLV 1")
    same(k.verify_certificate(v["certificate_unknown_tlv"], publisher()).capacity, 1000,
         "a certificate with an unknown TLV")
    fails(lambda: k.verify_certificate(v["certificate_critical_tlv"], publisher()),
          "KMS_E_SCHEMA", "a certificate with a critical TLV")
    fails(lambda: k.verify_certificate(b"KMSCERT1" + v["certificate"][8:], publisher()),
          "KMS_E_SCHEMA", "a certificate of another version")


def exchange():
    s, x = v["host_signing_public"], v["host_exchange_public"]
    same(k.exchange_id_of(x), v["exchange_key_id"], "exchange key id")
    made = NOW - 3600
    e = k.Exchange(v["host_id"], v["exchange_key_id"], x, made, made + 7 * 86400,
                   made + 8 * 86400, 2, 2)
    signed = k.write_exchange(e)
    same(signed + sign(v["host_signing_seed"], signed), v["exchange_statement"],
         "exchange statement")
    same(k.verify_exchange(v["exchange_statement"], s, NOW), e, "exchange statement read")
    for name in ("wrong_key_id", "wrong_host_id", "until_before_made", "too_long", "small_order",
                 "versions_reversed"):
        fails(lambda: k.verify_exchange(v["exchange_" + name], s), "KMS_E_FORMAT", name)
    fails(lambda: k.verify_exchange(v["exchange_newer_versions"], s, NOW), "KMS_E_BAD_VERSION",
          "a host that speaks later versions only")
    for now in (made - 4 * 3600 - 1, e.ends + 4 * 3600 + 1):
        fails(lambda: k.verify_exchange(v["exchange_statement"], s, now), "KMS_E_TIME_SKEW",
              "a clock that is far off")


def hello():
    same(k.frame(k.HELLO, v["publisher_id"]), v["hello_frame"], "HELLO")
    reply = (k.u(8, NOW) + v["exchange_statement"] + k.u(2, len(v["certificate"]))
             + v["certificate"])
    same(k.frame(k.HELLO_REPLY, reply), v["hello_reply_frame"], "HELLO_REPLY")
    same(k.read_frame_header(v["hello_reply_frame"][:12]), (k.HELLO_REPLY, len(reply)),
         "HELLO_REPLY's header read")
    same(k.read_hello_reply(reply), (NOW, v["certificate"], v["exchange_statement"], []),
         "HELLO_REPLY read")
    two = [v["rotation_statement"], v["rotation_statement_2"]]
    more = reply + b"".join(k.tlv(1, r) for r in two)
    same(k.frame(k.HELLO_REPLY, more), v["hello_reply_two_rotations_frame"], "with two rotations")
    same(k.read_hello_reply(more)[3], two, "two rotations read")


def rotation():
    key = (v["publisher_id"], v["publisher_public"], v["publisher_seed"])
    reply = (k.u(8, NOW) + v["exchange_statement"] + k.u(2, len(v["certificate"]))
             + v["certificate"])
    begin = NOW
    for name, statement, frame in (("new", "rotation_statement", "hello_reply_rotation_frame"),
                                   ("newest", "rotation_statement_2",
                                    "hello_reply_two_rotations_frame")):
        new = tuple(v[f"{name}_publisher_{part}"] for part in ("id", "public", "seed"))
        same(signing_public(new[2]), new[1], name + " publisher key")
        octets = (b"KMSROTA1" + key[0] + key[1] + new[0] + new[1] + k.u(8, begin)
                  + k.u(8, begin + 365 * 86400))
        octets += sign(key[2], octets)
        octets += sign(new[2], octets)
        same(octets, v[statement], statement)
        reply += k.tlv(1, octets)
        same(k.frame(k.HELLO_REPLY, reply), v[frame], frame)
        key, begin = new, begin + 365 * 86400


def request():
    text = k.request_text(k.ACTIVATE, 1, False, 43200, bytes(range(0xa3, 0xb3)), NOW, 3,
                          bytes(range(0x50, 0x60)), k.salt_of(v["client_secret"]), "host-3.example")
    same(text, v["request_text"], "request text")
    taken = bytes(range(0x41, 0x41 + 172))
    full = k.with_flags(text, k.VIRTUAL | k.STATELESS) + (k.tlv(1, taken[:40]) + k.tlv(2, taken) + k.tlv(3, taken[:16])
                   + k.tlv(4, taken[:16]) + k.tlv(5, k.pad_text("ann", 64))
                   + k.tlv(7, bytes(range(0xc1, 0xe1))))
    same(full + k.claims(borrow=20160), v["request_full_text"], "request text with every TLV")
    full += k.tlv(0x7fff, b"skipped")
    same(full, v["request_unknown_text"], "request text with an unknown TLV")
    same(full + k.tlv(0x8fff, k.u(4, 60)), v["request_critical_text"],
         "request text with a critical TLV")
    same(v["request_nonce"], bytes(range(0x30, 0x48)), "request nonce")
    same(k.seal_request(text, v["host_id"], v["exchange_key_id"], v["client_public"],
                        v["request_nonce"],
                        v["session_to_host"]), v["request_frame"], "REQUEST")


def reply_text(status, count, bundle, extra=b""):
    return (k.u(4, status) + k.u(4, 0) + bytes(range(0xa3, 0xb3)) + k.u(8, NOW) + k.u(4, count)
            + k.u(4, 25) + k.u(4, 120) + k.u(4, 10080) + k.u(4, len(bundle)) + bundle + extra)


def replies():
    rows = [("reply", reply_text(0, 27, v["lease_bundle"])),
            ("reply_count_too_low", reply_text(1, 24, b"")),
            ("reply_sequence", reply_text(12, 24, b"", k.tlv(1, k.u(8, 41)) + k.tlv(2, k.u(4, 30)))),
            ("reply_full", reply_text(12, 24, b"", k.tlv(1, k.u(8, 41)) + k.tlv(2, k.u(4, 30))
                                      + k.tlv(3, v["client_public"][:16]) + k.tlv(4, k.u(8, 77))))]
    for name, text in rows:
        nonce, want = v[name + "_nonce"], v[name + "_frame"]
        same(text, v[name + "_text"], name + ": text")
        same(k.seal_reply(text, nonce, v["session_to_client"]), want, name + ": frame")
        same(k.open_reply(want, v["session_to_client"]), text, name + ": opened")
        bad = want[:-1] + bytes([want[-1] ^ 1])
        fails(lambda: k.open_reply(bad, v["session_to_client"]), "KMS_E_BAD_SEAL",
              name + ": altered")
    same(k.read_reply(v["reply_text"], k.ACTIVATE).bundle, v["lease_bundle"], "reply read")
    same(k.read_reply(v["reply_text"], k.RELEASE).bundle, None,
         "a lease in answer to RELEASE is not looked at")
    got = k.read_reply(v["reply_sequence_text"], k.ACTIVATE)
    same((got.highest_sequence, got.retry_after), (41, 30), "TLVs of a reply")


def errors():
    rows = [("error_overload_frame", 14, 15), ("error_unknown_host_frame", 16, 0),
            ("error_unknown_key_frame", 24, 0)]
    for name, status, wait in rows:
        payload = k.u(4, status) + k.u(4, wait) + k.u(8, NOW)
        same(k.frame(k.ERROR, payload), v[name], name)
        same(k.read_error(payload), (status, wait, NOW), name + " read")
    first = k.frame_header(k.ERROR, 16, 1) + k.u(4, 17) + k.u(4, 0) + k.u(8, NOW)
    same(first, v["error_bad_version_frame"], "ERROR in answer to version 1")
    same(k.read_frame_header(first[:12]), (k.ERROR, 16), "an ERROR of another version read")
    fails(lambda: k.read_frame_header(k.frame_header(k.REPLY, 40, 1)), "KMS_E_FORMAT",
          "a REPLY of version 1")
    fails(lambda: k.read_error(k.u(4, 13) + bytes(12)), "KMS_E_FORMAT",
          "KMS_E_REVOKED cannot be in ERROR")


def names_of(n):
    salt = k.salt_of(v["client_secret"]) if n == 3 else bytes(range(0x30 + n, 0x40 + n))
    source = bytes(10) + b"\xff\xff\xc0\0\2" + bytes([n])
    return k.Names(salt, source, f"host-{n}.example", "m\u00fcller" if n == 2 else "")


def client_entry(n):
    product = bytes(range(0x50, 0x60))
    cmid = {3: v["cmid"]}.get(n, bytes(range(0x10 * n, 0x10 * n + 16)))
    seen, four = n == 1, n == 4
    return k.ClientEntry(2 if seen else 1, 3 if four else 0, 1 if seen else 0, NOW, cmid, product,
                         bytes(range(0xa0 + n, 0xb0 + n)), n, 0 if seen else NOW + 15552000,
                         0 if seen else NOW + 604800, 24 + n, 25, v["publisher_id"], 1,
                         5 if four else 0, (NOW // 86400 + 31) * 1440, 1440, 1, 1, 43200,
                         *k.commitments(names_of(n)),
                         k.tlv(1, bytes(range(0xb0, 0xc0))) if four else b"")


def entries():
    """Of the other kinds, as kms.journal(5) has them; and items, an entry with its aside."""
    def head(kind, status=0):
        return k.u(1, 2) + k.u(1, kind) + k.u(2, 0) + k.u(4, status) + k.u(8, NOW)

    seat = bytes(range(0x50, 0x60)) + v["publisher_id"] + k.u(2, 1) + k.u(2, 5)
    reason = "M\u00fcller left".encode()
    for n, (name, kind, status, value, ends) in enumerate((
            ("revoke", 32, 0, 0, True), ("unrevoke", 33, 0, 0, True), ("forget", 34, 0, 0, True),
            ("reclaim", 35, 29, 0, True), ("hold", 36, 11, NOW + 604800, False),
            ("erase", 37, 0, NOW, False), ("expire", 38, 0, NOW - 604800, False))):
        other = bytes(range(0x40, 0x50)) if name == "reclaim" else bytes(16)
        text = reason if ends else b""
        through = {"erase": 0, "expire": 5}.get(name, 3)
        cmid = bytes(16) if name == "expire" else v["cmid"]
        same(head(kind, status) + cmid + k.u(8, 7 + n) + k.u(8, through)
             + k.u(8, value) + other + (seat if ends else bytes(28)) + k.u(1, len(text)) + text,
             v[f"entry_{name}"], f"entry {name}")
    for n, (name, kind, text, length) in enumerate((
            ("key", 17, b"Acme: host key", 0), ("policy", 19, b"Acme: 1.2", 0),
            ("key_remove", 22, b"Acme: host key", 0), ("rotation", 25, b"", 232),
            ("revocations", 26, b"", 4), ("witness", 28, b"", 172), ("restored", 29, b"", 17),
            ("clock", 30, b"", 16), ("counters", 40, b"", 36))):
        first = 0x01 if name == "restored" else 0xf1
        blob = bytes((first + i) % 256 for i in range(length))
        if name == "restored":
            blob = blob[:16] + b"\2"
        if name == "counters":
            blob = blob[:20] + b"\xff" + blob[21:]
        same(head(kind) + bytes(range(0x10 * n, 0x10 * n + 16)) + bytes(range(0x21 + n, 0x41 + n))
             + k.u(2, len(text)) + text + k.u(2, length) + blob, v[f"entry_{name}"],
             f"entry {name}")

    kept = head(30) + bytes(48) + k.u(2, 0) + k.u(2, 16) + bytes(0xf1 + i & 0xff for i in range(16))
    for n, (name, part, length, rest) in enumerate((("head", 1, 96, b""), ("kept", 2, 24, kept), ("client", 4, 235, b""),
                                                    ("sums", 5, 0, b""), ("end", 7, 12, b""))):
        blob = bytes([part, 1]) + bytes(0x11 * n + i & 0xff for i in range(length)) + rest
        digest = bytes(range(0x41, 0x61)) if name == "end" else bytes(32)
        same(head(41) + bytes(range(0x90, 0xa0)) + digest + k.u(2, 0) + k.u(2, len(blob)) + blob, v[f"entry_base_{name}"],
             f"entry base {name}")

    def run(first, length):
        return bytes(range(first, first + length))

    pool = run(0xa1, 8) + k.u(2, 3)
    heard = run(0x10, 16) + k.u(8, 7) + run(0x51, 32) + run(0x40, 16) + run(1, 8) + run(0x81, 32)
    for name, kind, text, blob in (
            ("share", 48, b"acme-1", b"\1"), ("heard", 49, b"", heard), ("give", 50, b"", pool + run(0x40, 16) + run(1, 4)),
            ("alone", 51, "M\u00fcller pulled the cable".encode(), b"\1"), ("alone_over", 51, b"", b"\0"),
            ("held", 52, b"", pool + k.u(4, 12) + k.u(8, NOW + 604800))):
        same(head(kind) + run(0x90, 16) + bytes(32) + k.u(2, len(text)) + text + k.u(2, len(blob)) + blob, v[f"entry_{name}"],
             f"entry {name}")

    one = client_entry(1)
    for name, kind, operation, status in (("release", 3, 3, 0), ("refusal", 4, 1, 10)):
        e = one._replace(kind=kind, operation=operation, status=status, expires=0, renew_after=0, until=0, width=0)
        same(k.write_client_entry(e), v[f"entry_{name}"], f"entry {name}")
        same(k.read_client_entry(v[f"entry_{name}"]), e, f"entry {name} read")
    text = b"Acme: confirmation 1, serial 1"
    same(head(18) + v["certificate"][16:32] + bytes(range(0x61, 0x81)) + k.u(2, len(text)) + text
         + k.u(2, len(v["certificate"])) + v["certificate"], v["entry_certificate"], "entry certificate")
    newer = v["entry_3"] + bytes.fromhex("80020000")
    same(newer, v["entry_critical_tlv"], "entry with a critical TLV")
    flagged = v["entry_3"][:2] + bytes([v["entry_3"][2] | 1]) + v["entry_3"][3:]
    same(flagged, v["entry_unknown_flag"], "entry with an unknown flag")
    for octets, what in ((newer, "a critical TLV"), (flagged, "an unknown flag")):
        fails(lambda: k.read_client_entry(octets), "KMS_E_SCHEMA", f"an entry with {what}")

    def item(entry, aside):
        return k.u(2, len(entry)) + entry + k.u(1, len(aside)) + aside

    n = k.Names(bytes(range(0x60, 0x70)), bytes(10) + b"\xff\xff\xc0\0\2\x14", "", "")
    name, _, address = k.commitments(n._replace(name="pc-20"))
    blob = (k.u(1, 1) + k.u(2, 6) + k.u(2, 0) + k.u(4, 260) + k.u(4, 188) + k.u(4, 0)
            + k.u(4, 1500) + bytes(10) + b"\xff\xff\xc0\0\2\x0a" + k.u(2, 1688))
    same(item(head(24) + address + bytes(32) + k.u(2, 11) + b"kms.example" + k.u(2, 39) + blob,
              k.write_aside(n)), v["item_relayed"], "item relayed")
    blob = bytes(range(0x90, 0xa0)) + k.u(4, 25) + k.u(8, NOW - 60)
    same(item(head(27) + address + name + bytes(16) + k.u(2, 0) + k.u(2, 28) + blob,
              k.write_aside(n._replace(name="pc-20"))), v["item_relayed_name"], "item relayed name")
    same(item(v["entry_3"], v["aside_3"]), v["item"], "item")
    same(item(v["entry_3"], bytes(len(v["aside_3"]))), v["item_erased"], "item erased")


def batch():
    entries = [v["entry_0"]]
    for n in (1, 2, 3, 4):
        e = client_entry(n)
        same(k.write_client_entry(e), v[f"entry_{n}"], f"entry {n}")
        same(k.read_client_entry(v[f"entry_{n}"]), e, f"entry {n} read")
        entries.append(v[f"entry_{n}"])
        same(k.write_aside(names_of(n)), v[f"aside_{n}"], f"aside {n}")
        same(k.read_aside(v[f"aside_{n}"]), names_of(n), f"aside {n} read")
    host = (b"\2\x10" + bytes(6) + k.u(8, NOW) + v["host_id"] + bytes(32) + k.u(2, 10)
            + b"kmsd 0.1.0" + k.u(2, 32) + v["host_signing_public"])
    same(host, v["entry_0"], "entry 0, the host's own")
    leaves = [k.leaf_hash(e) for e in entries]
    for n, leaf in enumerate(leaves):
        same(leaf, v[f"leaf_{n}"], f"leaf {n}")
    same(k.merkle_root(leaves), v["root"], "root")
    for n in range(5):
        path = k.merkle_path(leaves, n)
        same(b"".join(path), v[f"proof_{n}"], f"proof {n}")
        ok(k.proof_holds(leaves[n], n, 5, path, v["root"]), f"proof {n} holds")
        ok(not any(k.proof_holds(leaves[n], m, 5, path, v["root"]) for m in range(7) if m != n),
           f"proof {n} holds at no other index")
    first = k.BatchHeader(v["host_id"], 1, bytes(32), 1, leaves[0], NOW - 60)
    same(k.write_batch_header(first), v["batch_header_1"], "header of batch 1")
    before = hashlib.sha256(v["batch_header_1"]).digest()
    same(before, v["batch_header_1_hash"], "its hash")
    header = k.BatchHeader(v["host_id"], 2, before, 5, v["root"], NOW)
    same(k.write_batch_header(header), v["batch_header"], "header of batch 2")
    same(k.read_batch_header(v["batch_header"]), header, "header read")
    same(sign(v["host_signing_seed"], v["batch_header"]), v["batch_signature"],
         "signature of batch 2")


def lease_of(change=None, **header):
    """A bundle signed with the vectors' keys: entry 3 with some fields changed, alone in batch 1."""
    change = dict(change or {})
    aside = change.pop("aside", b"")
    if "time" in change and "time" not in header:
        header["time"] = change["time"]
    entry = k.write_client_entry(client_entry(3)._replace(**change))
    return sealed_bundle(entry, aside, **header)


def sealed_bundle(entry, aside=b"", **header):
    h = k.BatchHeader(v["host_id"], 1, bytes(32), 1, k.leaf_hash(entry), NOW)
    octets = k.write_batch_header(h._replace(**header))
    return k.write_bundle(k.Bundle(entry, octets, sign(v["host_signing_seed"], octets), 0, [],
                                   aside))


def leases():
    path = [v["proof_3"][i:i + 32] for i in range(0, 96, 32)]
    bundle = k.write_bundle(k.Bundle(v["entry_3"], v["batch_header"], v["batch_signature"], 3, path,
                                     v["aside_3"]))
    same(bundle, v["lease_bundle"], "lease bundle")
    same(k.write_lease_file(v["certificate"], bundle), v["lease_file"], "lease file")
    same(k.read_lease_file(v["lease_file"]), (v["certificate"], bundle), "lease file read")
    e = client_entry(3)
    mine = {"cmid": v["cmid"], "product": e.product, "request": (e.request_id, 3)}

    def check(bundle, now=NOW, **how):
        return k.verify_lease(v["certificate"], bundle, publisher(), now, **how)

    same(check(bundle, **mine), e, "the lease verifies")
    same(check(bundle, told=k.commitments(names_of(3))[:2], sent=NOW, **mine), e, "and its names")
    erased = lease_of({"aside": bytes(len(v["aside_3"]))})
    same(check(erased, **mine), e, "so does one whose names are erased")
    same(k.names_of(e, k.read_bundle(erased).aside), None, "which has none")
    same(check(lease_of(), **mine), e, "the same entry in a batch of one verifies")
    late = k.read_certificate(v["certificate"]).not_after
    early = k.read_certificate(v["certificate"]).not_before
    rows = [
        (2, bundle[:-1], {}, "KMS_E_FORMAT", "ends early"),
        (2, bundle + b"x", {}, "KMS_E_FORMAT", "octets left"),
        (3, lease_of(size=0), {}, "KMS_E_FORMAT", "tree of size 0"),
        (3, lease_of(number=2), {}, "KMS_E_FORMAT", "batch 2 with none before"),
        (3, lease_of(before=bytes([1] * 32)), {}, "KMS_E_FORMAT", "batch 1 with one before"),
        (4, lease_of(root=bytes(32)), {}, "KMS_E_PROOF", "another root"),
        (4, lease_of(size=2), {}, "KMS_E_PROOF", "a proof too short"),
        (6, lease_of(host_id=bytes(16)), {}, "KMS_E_LEASE_OTHER", "another host id"),
        (7, lease_of({"flags": 0x100}), {}, "KMS_E_SCHEMA", "an unknown flag"),
        (7, lease_of({"tail": k.tlv(0x8002, b"")}), {}, "KMS_E_SCHEMA", "a critical TLV"),
        (7, lease_of({"kind": 5}), {}, "KMS_E_SCHEMA", "an unknown kind"),
        (7, lease_of({"sequence": 2**62 + 1}), {}, "KMS_E_FORMAT", "a sequence of 2^62 + 1"),
        (7, lease_of({"name": bytes(16)}), {}, "KMS_E_FORMAT", "no commitment to the name"),
        (7, lease_of({"until": NOW // 60}), {}, "KMS_E_FORMAT", "counts until the past"),
        (7, lease_of({"renew_after": NOW + 15552001}), {}, "KMS_E_FORMAT", "renewal late"),
        (7, lease_of(time=NOW + 14401), {}, "KMS_E_FORMAT", "4 hours before its header"),
        (7, lease_of(time=NOW - 14401), {}, "KMS_E_FORMAT", "4 hours after it"),
        (7, lease_of({"operation": 4}), {}, "KMS_E_FORMAT", "an unknown operation"),
        (7, lease_of({"licence": 6}), {}, "KMS_E_FORMAT", "an unknown licence state"),
        (7, lease_of({"tail": b"\0\1"}), {}, "KMS_E_FORMAT", "a tail cut short"),
        (7, sealed_bundle(v["entry_0"]), {}, "KMS_E_SCHEMA", "the host's own entry"),
        (8, sealed_bundle(v["entry_1"]), {}, "KMS_E_FORMAT", "an entry SEEN"),
        (8, lease_of({"status": 1}), {}, "KMS_E_FORMAT", "a status"),
        (8, lease_of({"until": 0}), {}, "KMS_E_FORMAT", "it does not count"),
        (9, lease_of({"key_id": bytes(8)}), {}, "KMS_E_PUBLISHER", "another publisher"),
        (10, lease_of({"product": bytes(16)}), {}, "KMS_E_NOT_COVERED", "another product"),
        (11, lease_of({"time": early - 1}), {}, "KMS_E_KEY_EXPIRED", "before the certificate"),
        (11, lease_of({"time": late + 1, "expires": late + 2, "renew_after": 0,
                       "until": (late // 86400 + 31) * 1440}), {}, "KMS_E_KEY_EXPIRED",
         "after the certificate"),
        (11, lease_of({"expires": late + 1}), {}, "KMS_E_KEY_EXPIRED", "longer than it"),
        (12, bundle, {"cmid": bytes(16)}, "KMS_E_LEASE_OTHER", "another client's"),
        (13, bundle, {"product": bytes(range(0x70, 0x80))}, "KMS_E_LEASE_OTHER", "other product"),
        (14, bundle, {"request": (bytes(16), 3)}, "KMS_E_LEASE_OTHER", "other request id"),
        (14, bundle, {"request": (e.request_id, 4)}, "KMS_E_LEASE_OTHER", "other sequence"),
        (14, bundle, {"sent": NOW + 14401, **mine}, "KMS_E_TIME_SKEW", "of before the request"),
        (14, bundle, {"now": NOW - 14401, "sent": NOW - 14401, **mine}, "KMS_E_TIME_SKEW",
         "of a time to come"),
        (14, bundle, {"told": (bytes(16), bytes(16)), **mine}, "KMS_E_LEASE_OTHER", "other names"),
        (14, lease_of({"aside": v["aside_2"]}), mine, "KMS_E_LEASE_OTHER", "names do not match"),
        (15, bundle, {"latest": NOW + 14401}, "KMS_E_CLOCK_BACK", "clock back"),
        (16, bundle, {"now": e.expires}, "KMS_E_LEASE_EXPIRED", "run out"),
        (16, bundle, {"now": e.expires - 1, "latest": e.expires}, "KMS_E_LEASE_EXPIRED",
         "run out by the latest time seen"),
    ]
    for step, octets, how, status, name in rows:
        fails(lambda: check(octets, **how), status, f"lease check {step}: {name}")
    bad = bytearray(bundle)
    bad[2 + 168 + 108] ^= 1
    fails(lambda: check(bytes(bad)), "KMS_E_SIGNATURE", "lease check 5: another signature")
    other = k.Publisher(bytes(8), bytes(32))
    fails(lambda: k.verify_lease(v["certificate"], bundle, other, NOW), "KMS_E_PUBLISHER",
          "lease check 1: certificate of another publisher")
    same(check(bundle, latest=NOW + 14400), e, "a clock back by just 4 hours")
    ok(check(lease_of({"expires": late}), late - 1), "valid up to the certificate's last second")


def client_files():
    product, newest = bytes(range(0x50, 0x60)), bytes(range(0xa3, 0xb3))
    one, two = (bytes([n]) + bytes(15) for n in (1, 2))
    sent = (k.write_sent(v["host_id"], NOW, product, 3, k.ACTIVATE, (one, two, newest), answered=1,
                         refused=2),
            k.write_sent(product, NOW - 1, product, 2, k.ACTIVATE, (two,), partial=True))
    same(k.write_client_key(v["client_secret"], 3, k.RENEW, newest, product, NOW, hosts=sent,
                            partial=True), v["client_key"], "FILE.key")
    same(k.write_client_state(v["client_public"], (NOW, NOW - 3600, NOW, NOW),
                              (0, 27, 25, 120, 10080, 0), "192.0.2.1 port 1688", v["certificate"],
                              v["certificate"], v["lease_bundle"]), v["client_state"], "FILE")
    first, second = pair()
    hosts = (k.write_host(bytes(range(0x11, 0x21)), NOW, first, wanted=True),
             k.write_host(v["host_id"], NOW - 1, first, pair=(first, second)))
    same(k.write_client_state(v["client_public"], (NOW, NOW - 3600, NOW, NOW),
                              (0, 27, 25, 120, 10080, 0), "192.0.2.1 port 1688", v["certificate"],
                              v["certificate"], v["lease_bundle"], hosts),
         v["client_state_hosts"], "FILE with hosts")


def pair():
    """Two signed headers of batch 2."""
    octets = v["batch_header"]
    later = k.read_batch_header(octets)._replace(time=NOW + 60)
    both = octets, k.write_batch_header(later)
    return [h + sign(v["host_signing_seed"], h) for h in both]


def evidence():
    first, second = pair()
    certificate, want = v["certificate"], v["evidence_file"]
    same(k.write_evidence_file(certificate, first, second), want, "evidence")
    kind, c, one, two = k.verify_evidence_file(want, publisher())
    same((kind, one.number, two.number, two.time), ("contradiction", 2, 2, NOW + 60), "verified")
    for octets, status, what in (
            (want[:7] + b"2" + want[8:], "KMS_E_SCHEMA", "another version"),
            (want[:-1] + bytes([want[-1] ^ 1]), "KMS_E_SIGNATURE", "altered"),
            (want[:-1], "KMS_E_TRUNCATED", "cut"), (want + b"x", "KMS_E_TRAILING", "longer"),
            (k.write_evidence_file(certificate, first, first), "KMS_E_FORMAT", "the same twice")):
        fails(lambda: k.verify_evidence_file(octets, publisher()), status, "evidence: " + what)
    claims = k.claims(first, first, bytes(range(16)), bytes(range(16, 32)))
    same([(claims[at], claims[at + 1], len(value)) for at, value in
          ((0, claims[4:44]), (44, claims[48:220]), (220, claims[224:240]), (240, claims[244:]))],
         [(0, 1, 40), (0, 2, 172), (0, 3, 16), (0, 4, 16)], "what a request says of its client")
    same(claims[4:44], k.u(8, 2) + hashlib.sha256(v["batch_header"]).digest(), "the witness")


def minisign():
    """Not in the page, but in minisign's own: signature, comment, and the signature of both."""
    comment_line, key_line = v["public_key_file"].decode().splitlines()
    same(key_line.encode(), v["publisher_key_line"], "public key file")
    ok(comment_line.startswith("untrusted comment: "), "its comment")
    for name, tag, message in (("signature_file", b"ED", hashlib.blake2b(v["file"]).digest()),
                               ("signature_file_legacy", b"Ed", v["file"])):
        lines = v[name].decode().splitlines()
        signature = sign(v["publisher_seed"], message)
        first = base64.b64encode(tag + v["publisher_id"] + signature).decode()
        comment = lines[2].removeprefix("trusted comment: ")
        both = base64.b64encode(sign(v["publisher_seed"], signature + comment.encode())).decode()
        text = "\n".join([lines[0], first, "trusted comment: " + comment, both, ""])
        same(text.encode(), v[name], name)


for part in (keys, certificate, entitled, exchange, hello, rotation, request, replies, errors, batch, entries, leases,
             client_files, evidence, minisign):
    try:
        part()
    except Exception:  # one part that breaks must not hide the others
        ok(False, part.__name__ + " ran to its end")
        print("# " + traceback.format_exc().replace("\n", "\n# "))
same(set(v) - v.used, set(), "every vector was recomputed")
print(f"1..{tests}")
sys.exit(1 if failed else 0)
