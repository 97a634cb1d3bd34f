"""The octets of the kmsd protocol, after kms-protocol(7) alone: frames, texts, keys, sealing,
certificates, entries, batches, and the verification of a lease.  Nothing here reads a clock, a
file or a socket.  This is a second reading of that page, made to find out what it leaves open;
it shares no code and no author's assumptions with libkms."""

import base64
import binascii
import hashlib
import re
from collections import namedtuple

import nacl.bindings as sodium
from nacl.exceptions import BadSignatureError, CryptoError

STATUS = {
    0: "KMS_OK", 1: "KMS_E_COUNT_TOO_LOW", 2: "KMS_E_NOT_ENABLED", 3: "KMS_E_NOT_CONFIRMED",
    4: "KMS_E_NOT_COVERED", 5: "KMS_E_UNKNOWN_PRODUCT", 6: "KMS_E_KEY_INVALID",
    7: "KMS_E_KEY_EXPIRED", 8: "KMS_E_VM_REFUSED", 9: "KMS_E_TIME_SKEW", 10: "KMS_E_CAPACITY",
    11: "KMS_E_CLONE", 12: "KMS_E_SEQUENCE", 13: "KMS_E_REVOKED", 14: "KMS_E_OVERLOAD",
    15: "KMS_E_LEDGER", 16: "KMS_E_UNKNOWN_HOST", 17: "KMS_E_BAD_VERSION",
    18: "KMS_E_BAD_FRAME", 19: "KMS_E_BAD_SEAL", 20: "KMS_E_BAD_REQUEST",
    21: "KMS_E_UNKNOWN_CLIENT", 22: "KMS_E_TOO_LARGE", 23: "KMS_E_LOCKED",
    24: "KMS_E_UNKNOWN_KEY", 25: "KMS_E_TOO_SOON", 26: "KMS_E_BINDING", 27: "KMS_E_NOT_OFFERED",
    28: "KMS_E_CLASS_FULL", 29: "KMS_E_RECLAIMED", 30: "KMS_E_DOWNGRADE", 31: "KMS_E_ALONE",
    32: "KMS_E_STATELESS", 33: "KMS_E_BORROW", 34: "KMS_E_BORROWED_OUT",
    257: "KMS_E_NO_HOST",
    258: "KMS_E_TIMEOUT", 261: "KMS_E_TRUNCATED", 262: "KMS_E_TRAILING", 263: "KMS_E_FORMAT",
    265: "KMS_E_STATE", 266: "KMS_E_SIGNATURE", 267: "KMS_E_PUBLISHER", 268: "KMS_E_PROOF",
    269: "KMS_E_LEASE_EXPIRED", 270: "KMS_E_LEASE_OTHER", 271: "KMS_E_CLOCK_BACK",
    272: "KMS_E_NO_LEASE", 278: "KMS_E_SCHEMA", 290: "KMS_E_HISTORY",
}
NUMBER = {name: number for number, name in STATUS.items()}
IN_ERROR = {2, 3, 6, 7, 14, 15, 16, 17, 18, 19, 22, 23, 24}
NEXT_HOST = {2, 3, 4, 5, 6, 7, 10, 14, 15, 17, 18, 19, 21, 22, 23, 27, 28, 29, 31, 12}

HELLO, HELLO_REPLY, REQUEST, REPLY, ERROR = 1, 2, 3, 4, 5
ACTIVATE, RENEW, RELEASE = 1, 2, 3
CLOCK_FAR = 4 * 3600
UNSEEN = re.compile(r"[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class KmsError(Exception):
    """A check failed; name is the KMS_E_ status that the page gives for it."""

    def __init__(self, name, why):
        super().__init__(f"{name}: {why}")
        self.name, self.why = name, why


def need(condition, why, name="KMS_E_FORMAT"):
    if not condition:
        raise KmsError(name, why)


class Reader:
    """Takes fields from the front of some octets."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def raw(self, n):
        if len(self.octets) - self.at < n:
            raise KmsError("KMS_E_TRUNCATED", f"ends at octet {len(self.octets)}, in a field")
        self.at += n
        return self.octets[self.at - n:self.at]

    def num(self, n):
        return int.from_bytes(self.raw(n), "big")

    def text(self, n):
        return plain_text(self.raw(n).rstrip(b"\0"))

    def rest(self):
        return self.raw(len(self.octets) - self.at)

    def end(self):
        need(self.at == len(self.octets), "octets after the last field", "KMS_E_TRAILING")


def u(n, value):
    return value.to_bytes(n, "big")


def plain_text(octets):
    try:
        text = octets.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise KmsError("KMS_E_FORMAT", "text is not UTF-8") from None
    need(not UNSEEN.search(text), "text holds a control character, a zero, or one that is not seen")
    return text


def pad_text(text, n):
    octets = text.encode("utf-8")
    need(len(octets) <= n, "text too long")
    plain_text(octets)
    return octets.ljust(n, b"\0")


def tail(octets, limit, known=(), unknown="KMS_E_SCHEMA"):
    """A TLV tail: {type: value} of the types in known, which gives their lengths."""
    need(len(octets) <= limit, "a tail that is too long")
    found, r, last, critical = {}, Reader(octets), -1, False
    while r.at < len(octets):
        kind, length = r.num(2), r.num(2)
        value = r.raw(length)
        need(kind > last, "TLVs out of order")
        last = kind
        if kind in known:
            need(length == known[kind], "a TLV of the wrong length")
            found[kind] = value
        elif kind & 0x8000:
            critical = True
    need(not critical, "a critical TLV that is unknown", unknown)
    return found


def tlv(kind, value):
    return u(2, kind) + u(2, len(value)) + value


# Frames ----------------------------------------------------------------------------------------

HEADER, VERSION = 12, 2


def frame_header(kind, length, version=VERSION):
    return b"KMSD" + u(1, version) + u(1, kind) + u(2, 0) + u(4, length)


def frame(kind, payload):
    return frame_header(kind, len(payload)) + payload


def read_frame_header(octets):
    """Type and payload length of a host's frame, checked in the order of the page."""
    r = Reader(octets)
    need(r.raw(4) == b"KMSD", "not the magic")
    version, kind, flags, length = r.num(1), r.num(1), r.num(2), r.num(4)
    need(version == VERSION or kind == ERROR, "not our version, and no ERROR")
    need(flags == 0, "frame flags")
    need(kind in (HELLO_REPLY, REPLY, ERROR), "not a host's frame type")
    need(length <= 12288, "payload too long")
    return kind, length


def read_hello_reply(payload):
    """(time, host certificate, statement of the exchange key, rotation statements)"""
    r = Reader(payload)
    when, statement, n = r.num(8), r.raw(160), r.num(2)
    need(n <= 3338, "host certificate too long")
    certificate = r.raw(n)
    rest, rotations = r.rest(), []
    need(len(rest) <= 7552, "a tail that is too long")
    # Type 1 alone repeats, and nothing comes before it.
    while rest[:2] == u(2, 1):
        t = Reader(rest)
        t.raw(2)
        need(t.num(2) == 232, "a TLV of the wrong length")
        rotations.append(t.raw(232))
        rest = t.rest()
    tail(rest, 7552, {1: 232})
    return when, certificate, statement, rotations


Error = namedtuple("Error", "status retry_after time")


def read_error(payload):
    r = Reader(payload)
    got = Error(r.num(4), r.num(4), r.num(8))
    r.end()
    need(got.status in IN_ERROR, "a status that cannot be in ERROR")
    return got


# Keys and sealing ------------------------------------------------------------------------------

Publisher = namedtuple("Publisher", "key_id key")


def publisher_key(line):
    try:
        raw = base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise KmsError("KMS_E_FORMAT", "the publisher's key is not base64") from None
    need(len(raw) == 42 and raw[:2] == b"Ed", "not a minisign public key line")
    return Publisher(raw[2:10], raw[10:])


def public_key(secret):
    return sodium.crypto_scalarmult_base(secret)


def cmid_of(client_public):
    return hashlib.sha256(b"KMS client v1" + client_public).digest()[:16]


def host_id_of(signing):
    return hashlib.sha256(b"KMS host v2" + signing).digest()[:16]


def exchange_id_of(public):
    return hashlib.sha256(b"KMS exchange v1" + public).digest()[:8]


def x25519(secret, public):
    try:
        q = sodium.crypto_scalarmult(secret, public)
    except (CryptoError, RuntimeError):
        raise KmsError("KMS_E_FORMAT", "a key of small order") from None
    need(any(q), "a key of small order")
    return q


def session_keys(q, client_public, host_exchange):
    """(to-client, to-host)."""
    h = hashlib.blake2b(q + client_public + host_exchange, digest_size=64).digest()
    return h[:32], h[32:]


def seal(text, associated, nonce, key):
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, associated, nonce, key)


def unseal(sealed, associated, nonce, key):
    try:
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, nonce, key)
    except CryptoError:
        raise KmsError("KMS_E_BAD_SEAL", "the tag does not verify") from None


def ed25519_ok(public, signature, message):
    try:
        sodium.crypto_sign_open(signature + message, public)
    except (BadSignatureError, CryptoError):
        return False
    return True


# Requests and replies --------------------------------------------------------------------------


def b16(label, x):
    return hashlib.blake2b(label.encode("ascii") + x, digest_size=16).digest()


def salt_of(secret):
    return b16("KMS salt v1", secret)


def request_text(operation, licence, virtual, grace, request_id, when, sequence, product, salt,
                 name, version=VERSION):
    return (u(1, operation) + u(1, licence) + u(2, 1 if virtual else 0) + u(4, grace)
            + request_id + u(8, when) + u(8, sequence) + product + salt + u(1, version)
            + bytes(7) + pad_text(name, 64))


VIRTUAL, STATELESS = 1, 2


def with_flags(text, flags):
    """The request text with these flags."""
    return text[:2] + u(2, flags) + text[4:]


def claims(witness=None, header=None, echo=None, binding=None, user="", borrow=0, after=None):
    """The TLV tail of a request text.  witness: the signed header (172) of the highest batch that
    is known of the host; header: the same again, when the host asked for it; borrow: minutes;
    after: what earlier requests to the host had as their ids, a list that may be empty; None: not
    said."""
    out = b""
    if witness:
        out += tlv(1, witness[24:32] + hashlib.sha256(witness[:108]).digest())
    for kind, value in ((2, header), (3, echo), (4, binding)):
        out += tlv(kind, value) if value else b""
    out += tlv(5, pad_text(user, 64)) if user else b""
    if after is not None:
        out += tlv(7, b"".join(after) or bytes(16))
    out += tlv(0x8006, u(4, borrow)) if borrow else b""
    return out


def binding_of(product, machine):
    """machine: the text of its id, without the end of the line."""
    return b16("KMS bind v1", product + machine.encode("ascii"))


def seal_request(text, host_id, exchange_id, client_public, nonce, to_host):
    clear = host_id + exchange_id + client_public
    header = frame_header(REQUEST, len(clear) + 24 + len(text) + 16)
    return header + clear + nonce + seal(text, header + clear, nonce, to_host)


def seal_reply(text, nonce, to_client):
    header = frame_header(REPLY, 24 + len(text) + 16)
    return header + nonce + seal(text, header, nonce, to_client)


def open_reply(octets, to_client):
    """The reply text of a whole REPLY frame."""
    kind, length = read_frame_header(octets[:HEADER])
    need(kind == REPLY and length == len(octets) - HEADER, "not a REPLY frame")
    r = Reader(octets[HEADER:])
    nonce = r.raw(24)
    sealed = r.rest()
    need(len(sealed) >= 16, "REPLY too short", "KMS_E_TRUNCATED")
    return unseal(sealed, octets[:HEADER], nonce, to_client)


Reply = namedtuple("Reply", "status request_id time count required activation renewal bundle "
                            "highest_sequence retry_after challenge show")


def read_reply(text, operation):
    r = Reader(text)
    status, flags, request_id, when = r.num(4), r.num(4), r.raw(16), r.num(8)
    count, required, activation, renewal = r.num(4), r.num(4), r.num(4), r.num(4)
    bundle = r.raw(r.num(4))
    extra = tail(r.rest(), 256, {1: 8, 2: 4, 3: 16, 4: 8}, "KMS_E_BAD_VERSION")
    need(flags == 0, "reply flags", "KMS_E_BAD_VERSION")
    if status != 0 or operation == RELEASE:
        bundle = None
    highest = int.from_bytes(extra[1], "big") if 1 in extra else None
    retry = int.from_bytes(extra[2], "big") if 2 in extra else None
    need(all(any(value) for value in extra.values()), "a TLV of zero")
    need((status == 12) == (1 in extra), "TLV 1 with another status, or missing")
    need(status == 12 or 3 not in extra, "TLV 3 with another status")
    show = int.from_bytes(extra[4], "big") if 4 in extra else None
    return Reply(status, request_id, when, count, required, activation, renewal, bundle, highest,
                 retry, extra.get(3), show)


# Host certificate ------------------------------------------------------------------------------

Certificate = namedtuple(
    "Certificate", "key_id host_key signing serial issued not_before not_after "
                   "capacity confirmation group customer products tail signature signed")


def magic(r, wanted):
    found = r.raw(8)
    need(found == wanted or found[:6] != wanted[:6], "another version", "KMS_E_SCHEMA")
    need(found == wanted, f"not {wanted.decode()}")


def entitlements(octets):
    """{key: value} of a certificate's tail."""
    need(len(octets) <= 1024, "a tail that is too long")
    r, found, last = Reader(octets), {}, b""
    if octets[:2] == u(2, 1):
        r.raw(2)
        inner = Reader(r.raw(r.num(2)))
        need(1 <= len(inner.octets) <= 512, "length of the entitlements")
        while inner.at < len(inner.octets):
            try:
                key, value = inner.raw(inner.num(1)), plain_text(inner.raw(inner.num(1)))
            except KmsError:
                raise KmsError("KMS_E_FORMAT", "an entitlement") from None
            need(1 <= len(key) <= 32 and key > last and key[:1].isalpha()
                 and all(c in b"abcdefghijklmnopqrstuvwxyz0123456789.-" for c in key),
                 "an entitlement's key")
            found[key.decode()], last = value, key
    rest = r.rest()
    need(rest[:2] not in (u(2, 0), u(2, 1)) or r.at == 0, "TLVs out of order")
    tail(rest, 1024)
    return found


def read_certificate(octets):
    need(len(octets) <= 3338, "certificate too long")
    r = Reader(octets)
    magic(r, b"KMSCERT2")
    head = [r.raw(8), r.raw(16), r.raw(32)]
    head += [r.num(8), r.num(8), r.num(8), r.num(8), r.num(4), r.num(2)]
    head += [r.text(32), r.text(64)]
    n = r.num(2)
    need(1 <= n <= 128, "number of products")
    products = [r.raw(16) for _ in range(n)]
    need(all(a < b for a, b in zip(products, products[1:])), "products not ascending")
    extra = r.raw(r.num(2))
    entitlements(extra)
    signed = octets[:r.at]
    c = Certificate(*head, products, extra, r.raw(64), signed)
    r.end()
    need(c.not_before <= c.not_after, "dates")
    need(c.confirmation >= 1, "number of the confirmation")
    return c


def write_certificate(c):
    """The octets that the publisher signs."""
    return (b"KMSCERT2" + c.key_id + c.host_key + c.signing + u(8, c.serial)
            + u(8, c.issued) + u(8, c.not_before) + u(8, c.not_after) + u(4, c.capacity)
            + u(2, c.confirmation) + pad_text(c.group, 32) + pad_text(c.customer, 64)
            + u(2, len(c.products)) + b"".join(c.products) + u(2, len(c.tail)) + c.tail)


def verify_certificate(octets, publisher):
    c = read_certificate(octets)
    need(c.key_id == publisher.key_id, "certificate of another publisher", "KMS_E_PUBLISHER")
    need(ed25519_ok(publisher.key, c.signature, c.signed), "the host certificate",
         "KMS_E_SIGNATURE")
    return c


# Exchange key ----------------------------------------------------------------------------------

Exchange = namedtuple("Exchange", "host_id key_id key made until ends lowest highest")


def write_exchange(e):
    """The octets that the host signs."""
    return (b"KMSXKEY1" + e.host_id + e.key_id + e.key + u(8, e.made) + u(8, e.until)
            + u(8, e.ends) + u(1, e.lowest) + u(1, e.highest) + bytes(6))


def verify_exchange(octets, signing, now=None):
    """A statement, in the order of the page; with now also whether a client may use it."""
    need(len(octets) >= 160, "a statement cut short", "KMS_E_TRUNCATED")
    need(len(octets) == 160, "octets after the statement", "KMS_E_TRAILING")
    r = Reader(octets)
    magic(r, b"KMSXKEY1")
    need(ed25519_ok(signing, octets[96:], octets[:96]), "the statement", "KMS_E_SIGNATURE")
    e = Exchange(r.raw(16), r.raw(8), r.raw(32), r.num(8), r.num(8), r.num(8), r.num(1), r.num(1))
    need(not any(r.raw(6)), "not zero")
    need(e.host_id == host_id_of(signing) and e.key_id == exchange_id_of(e.key), "an id")
    need(e.made <= e.until <= e.ends <= e.made + 32 * 86400, "times")
    need(1 <= e.lowest <= e.highest, "versions")
    x25519(b"\1" + bytes(31), e.key)
    if now is not None:
        need(e.lowest <= VERSION <= e.highest, "no common version", "KMS_E_BAD_VERSION")
        need(e.made - CLOCK_FAR <= now <= e.ends + CLOCK_FAR, "the clock", "KMS_E_TIME_SKEW")
    return e


# Journal entries and batches -------------------------------------------------------------------

ClientEntry = namedtuple(
    "ClientEntry", "kind flags status time cmid product request_id sequence expires renew_after "
                   "count required key_id pool group until width operation licence grace name user "
                   "source tail")
Names = namedtuple("Names", "salt source name user")


def read_client_entry(octets):
    need(len(octets) <= 424, "entry too long")
    r = Reader(octets)
    need(r.num(1) == 2, "entry version", "KMS_E_SCHEMA")
    head = [r.num(1), r.num(2), r.num(4), r.num(8)]
    need(head[0] in (1, 2, 3, 4), "not an entry about a client", "KMS_E_SCHEMA")
    need(head[1] & ~0xff == 0, "entry flags", "KMS_E_SCHEMA")
    head += [r.raw(16), r.raw(16), r.raw(16), r.num(8), r.num(8), r.num(8), r.num(4), r.num(4)]
    head += [r.raw(8), r.num(2), r.num(2), r.num(4), r.num(2), r.num(1), r.num(1), r.num(4)]
    head += [r.raw(16), r.raw(16), r.raw(16)]
    extra = r.rest()
    tail(extra, 256, known={1: 16})
    e = ClientEntry(*head, extra)
    check_client_entry(e)
    return e


def check_client_entry(e):
    counts = e.kind in (1, 2)
    need(e.flags & 0x04 == 0 or e.kind != 4, "flag of a refusal")
    need(e.flags & 0x38 == 0 or counts, "flag of a seat")
    need(e.status not in (0, 1) if e.kind == 4 else e.status == (1 if e.kind == 2 else 0), "status")
    need(1 <= e.sequence <= 2**62, "sequence number")
    need(e.expires > e.time if e.kind == 1 else e.kind == 2 or e.expires == 0, "expires")
    need(e.renew_after <= (e.expires if e.kind == 1 else 0), "renew after")
    need(1 <= e.width <= 1440 if counts else e.until == e.width == 0, "width of a slot")
    need(e.until == 0 or (e.until > e.time // 60 and e.until % e.width == 0), "counts until")
    need(1 <= e.operation <= 3 and e.licence <= 5, "operation or licence state")
    need(any(e.name) and any(e.source), "commitments")


def write_client_entry(e):
    return (u(1, 2) + u(1, e.kind) + u(2, e.flags) + u(4, e.status) + u(8, e.time) + e.cmid
            + e.product + e.request_id + u(8, e.sequence) + u(8, e.expires)
            + u(8, e.renew_after) + u(4, e.count) + u(4, e.required) + e.key_id + u(2, e.pool)
            + u(2, e.group) + u(4, e.until) + u(2, e.width) + u(1, e.operation) + u(1, e.licence)
            + u(4, e.grace) + e.name + e.user + e.source + e.tail)


def read_aside(octets):
    """Names; None: erased, or there are none."""
    if not any(octets):
        return None
    r = Reader(octets)
    need(r.num(1) == 1, "form of the aside")
    salt, source = r.raw(16), r.raw(16)
    texts = []
    for _ in range(2):
        n = r.num(1)
        need(n <= 64, "name too long")
        texts.append(plain_text(r.raw(n)))
    r.end()
    return Names(salt, source, *texts)


def write_aside(n):
    texts = [t.encode("utf-8") for t in (n.name, n.user)]
    return (u(1, 1) + n.salt + n.source + u(1, len(texts[0])) + texts[0] + u(1, len(texts[1]))
            + texts[1])


def commitments(n):
    """To host name, user name and source address."""
    user = b16("KMS user v1", n.salt + n.user.encode("utf-8")) if n.user else bytes(16)
    return (b16("KMS name v1", n.salt + n.name.encode("utf-8")), user,
            b16("KMS address v1", n.salt + n.source))


def names_of(entry, aside):
    """Those of a lease that verifies: Names, None when erased; they do not match: KmsError."""
    names = read_aside(aside)
    need(names is None or commitments(names) == (entry.name, entry.user, entry.source),
         "names do not match", "KMS_E_LEASE_OTHER")
    return names


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split(n):
    """The largest power of two smaller than n."""
    return 1 << ((n - 1).bit_length() - 1)


def merkle_root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(merkle_root(leaves[:k]), merkle_root(leaves[k:]))


def merkle_path(leaves, index):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return merkle_path(leaves[:k], index) + [merkle_root(leaves[k:])]
    return merkle_path(leaves[k:], index - k) + [merkle_root(leaves[:k])]


def proof_holds(leaf, index, size, proof, root):
    if index >= size:
        return False
    r, fn, sn = leaf, index, size - 1
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


BatchHeader = namedtuple("BatchHeader", "host_id number before size root time")


def read_batch_header(octets):
    r = Reader(octets)
    need(r.raw(8) == b"KMSBATCH", "not a batch header")
    b = BatchHeader(r.raw(16), r.num(8), r.raw(32), r.num(4), r.raw(32), r.num(8))
    r.end()
    need(b.number != 0, "batch number zero")
    need(1 <= b.size <= 1048576, "tree size")
    need(any(b.before) == (b.number != 1), "hash of the batch before")
    return b


def write_batch_header(b):
    return (b"KMSBATCH" + b.host_id + u(8, b.number) + b.before + u(4, b.size) + b.root
            + u(8, b.time))


# Leases ----------------------------------------------------------------------------------------

Bundle = namedtuple("Bundle", "entry header signature index proof aside")


def read_bundle(octets):
    try:
        r = Reader(octets)
        e = r.num(2)
        need(e <= 424, "entry too long")
        entry, header, signature, index = r.raw(e), r.raw(108), r.raw(64), r.num(4)
        p = r.num(1)
        need(p <= 20, "proof too long")
        proof = [r.raw(32) for _ in range(p)]
        a = r.num(1)
        need(a <= 163, "aside too long")
        aside = r.raw(a)
        r.end()
    except KmsError as bad:
        raise KmsError("KMS_E_FORMAT", "lease bundle: " + bad.why) from None
    return Bundle(entry, header, signature, index, proof, aside)


def write_bundle(b):
    return (u(2, len(b.entry)) + b.entry + b.header + b.signature + u(4, b.index)
            + u(1, len(b.proof)) + b"".join(b.proof) + u(1, len(b.aside)) + b.aside)


def read_lease_file(octets):
    """(host certificate, bundle), as octets; rotations are not followed here."""
    need(octets[:6] == b"KMSLEA", "not a lease file")
    need(octets[:8] == b"KMSLEAS3", "another version of a lease file", "KMS_E_SCHEMA")
    r = Reader(octets[8:])
    rotations = r.num(1)
    need(rotations <= 32, "too many rotations")
    r.raw(232 * rotations)
    n = r.num(2)
    need(n <= 4096, "host certificate too long")
    return r.raw(n), r.rest()


def write_lease_file(certificate, bundle):
    return b"KMSLEAS3" + u(1, 0) + u(2, len(certificate)) + certificate + bundle


def signed_header(host_id, signing, octets):
    """The BatchHeader of 172 octets that this host signed."""
    header = read_batch_header(octets[:108])
    need(ed25519_ok(signing, octets[108:], octets[:108]), "the batch", "KMS_E_SIGNATURE")
    need(header.host_id == host_id, "another host", "KMS_E_SIGNATURE")
    return header


def read_evidence_file(octets):
    """(host certificate, first header, second header); rotations are not followed here."""
    need(octets[:6] == b"KMSEVI", "not a file of evidence")
    need(octets[:8] == b"KMSEVID1", "another version of evidence", "KMS_E_SCHEMA")
    r = Reader(octets[8:])
    rotations = r.num(1)
    need(rotations <= 32, "too many rotations")
    r.raw(232 * rotations)
    certificate = r.raw(r.num(2))
    first, second = r.raw(172), r.raw(172)
    r.end()
    return certificate, first, second


def write_evidence_file(certificate, first, second):
    return b"KMSEVID1" + u(1, 0) + u(2, len(certificate)) + certificate + first + second


def verify_evidence_file(octets, publisher):
    """("contradiction" or "went back", certificate, both batch headers)"""
    raw, first, second = read_evidence_file(octets)
    c = verify_certificate(raw, publisher)
    one, two = (signed_header(host_id_of(c.signing), c.signing, h) for h in (first, second))
    need(two.number <= one.number and first[:108] != second[:108], "both can be true")
    return "contradiction" if one.number == two.number else "went back", c, one, two


# Client files (kms.state(5)) --------------------------------------------------------------------

def with_sum(octets):
    return octets + hashlib.blake2b(octets, digest_size=32).digest()


def write_sent(host_id, used, product, sequence, operation, ids, answered=0, partial=False,
               refused=0):
    """Of FILE.key: the requests that were sent to one host."""
    return (host_id + u(8, used) + product + u(8, sequence) + u(1, operation) + u(1, len(ids))
            + u(1, answered) + u(1, 1 if partial else 0) + u(2, refused) + b"".join(ids))


def write_client_key(secret, sequence, operation, request_id, product, sent, challenge=bytes(16),
                     hosts=(), partial=False, version=2):
    """Version 1 ends behind the challenge."""
    rest = (secret + u(8, sequence) + u(1, operation) + bytes(7) + request_id + product
            + u(8, sent) + bytes(8) + challenge)
    if version > 1:
        rest += u(1, 1 if partial else 0) + u(1, len(hosts)) + b"".join(hosts)
    return with_sum(b"KMSSTKEY" + u(2, version) + u(2, 0) + u(4, 16 + len(rest) + 32) + rest)


def write_host(host_id, used, highest, wanted=False, pair=None):
    """Of FILE; headers are of 172 octets, with their signatures."""
    return (host_id + u(8, used) + u(1, (1 if wanted else 0) | (2 if pair else 0)) + highest
            + (pair[0] + pair[1] if pair else b""))


def write_client_state(public, times, told, host, certificate, lease_certificate, bundle, hosts=()):
    """Without rotations and exchange statement."""
    rest = (public + b"".join(u(8, t) for t in times) + b"".join(u(4, n) for n in told)
            + pad_text(host, 96) + u(1, 0) + u(2, len(certificate)) + certificate + u(1, 0)
            + u(2, len(lease_certificate)) + lease_certificate + u(2, len(bundle)) + bundle
            + u(1, len(hosts)) + b"".join(hosts))
    return with_sum(b"KMSSTATE" + u(2, 3) + u(2, 0) + u(4, 16 + len(rest) + 32) + rest)


def verify_lease(certificate, bundle, publisher, now, *, cmid=None, product=None, request=None,
                 latest=0, told=None, sent=None):
    """The 16 checks, in order.  cmid and product None: somebody else's lease.  request is
    (request id, sequence number) when the lease comes in answer to it, and then told the
    commitments to host and user name, sent the time when it was first sent; latest, the latest
    time seen, is for a lease that was kept."""
    other, fmt = "KMS_E_LEASE_OTHER", "KMS_E_FORMAT"
    c = verify_certificate(certificate, publisher)                                  # 1
    b = read_bundle(bundle)                                                         # 2
    header = read_batch_header(b.header)                                            # 3
    need(proof_holds(leaf_hash(b.entry), b.index, header.size, b.proof, header.root),
         "the inclusion proof", "KMS_E_PROOF")                                      # 4
    need(ed25519_ok(c.signing, b.signature, b.header), "the batch", "KMS_E_SIGNATURE")  # 5
    need(header.host_id == host_id_of(c.signing), "another host", other)    # 6
    try:                                                                            # 7
        e = read_client_entry(b.entry)
    except KmsError as bad:
        raise KmsError("KMS_E_SCHEMA" if bad.name == "KMS_E_SCHEMA" else fmt,
                       "entry: " + bad.why) from None
    need(abs(e.time - header.time) <= CLOCK_FAR, "the entry's time", fmt)
    need(e.kind == 1 and e.until != 0, "the entry is not a lease that counts", fmt)  # 8
    need(e.key_id == c.key_id, "the entry's publisher", "KMS_E_PUBLISHER")          # 9
    need(e.product in c.products, "the certificate lacks the product", "KMS_E_NOT_COVERED")  # 10
    need(c.not_before <= e.time <= c.not_after and e.expires <= c.not_after,
         "outside the certificate's dates", "KMS_E_KEY_EXPIRED")                    # 11
    need(cmid is None or e.cmid == cmid, "another client", other)                   # 12
    need(product is None or e.product == product, "another product", other)         # 13
    if request is not None:                                                         # 14
        need((e.request_id, e.sequence) == request, "another request", other)
        need(sent is None or sent - CLOCK_FAR <= e.time <= now + CLOCK_FAR,
             "not of the time of the request", "KMS_E_TIME_SKEW")
        need(told is None or (e.name, e.user) == told, "other names", other)
        names_of(e, b.aside)
    need(now + CLOCK_FAR >= latest, "the clock went back", "KMS_E_CLOCK_BACK")      # 15
    need(max(now, latest) < e.expires, "the lease has run out", "KMS_E_LEASE_EXPIRED")  # 16
    return e
