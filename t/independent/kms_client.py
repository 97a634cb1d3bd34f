#!/usr/bin/python3
"""A client of kmsd written from kms-protocol(7) alone: keeps its key, sequence number, request
under way, certificates and lease in one JSON file, asks hosts, verifies what it gets.  Or it keeps
no state, and all of that in memory: a visit takes a seat, renews it and gives it back.  It is for
testing that page and the host; a product links libkms.  Prints `key: value` lines.

Exit codes: 0 done (status: a valid lease is held), 1 a host refused, 2 usage, 3 no host
answered, 4 something does not verify (a lease, a certificate), 5 the state file."""

import argparse
import fcntl
import hashlib
import json
import os
import random
import socket
import sys
import time
import uuid

sys.dont_write_bytecode = True
import kms_wire as k  # noqa: E402

CONNECT_SECONDS, REPLY_SECONDS, ALL_SECONDS = 5, 10, 30
AN_HOUR = 3600
VISIT = "visit"
OPERATIONS = {"activate": k.ACTIVATE, "renew": k.RENEW, "release": k.RELEASE}


class NoAnswer(Exception):
    """This address gave no answer: go on to the next."""


class State:
    """What the client must remember.  save() returns when it is on the disk; path None: it keeps
    no state, and this ends with the program."""

    def __init__(self, path):
        self.path = path
        self.secret = None
        self.sequence = 0
        self.pending = None       # {"operation", "product", "request_id", "sequence", "since"}
        self.certificates = {}    # host:port -> certificate and exchange statement, hex
        self.lease = None         # {"certificate", "bundle"}, hex: the two that verified together
        self.activation, self.renewal, self.latest = 120, 10080, 0
        # host id -> the signed header of the highest batch, whether the host wants to see it,
        # when it was last used, and the first two headers that do not fit together; hex
        self.hosts = {}
        self.echo = None          # the challenge to echo, hex
        # host id -> the requests that were sent to it, the oldest first: what is kept of a pending
        # one, and "refused" and "answered"
        self.sent = {}
        if path is None:
            self.secret = os.urandom(32).hex()
            return
        # Two processes with one state file would use one sequence number twice.
        self.lock = open(path + ".lock", "a")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            self.load()
        else:
            self.secret = os.urandom(32).hex()

    def load(self):
        try:
            with open(self.path, encoding="ascii") as f:
                kept = json.load(f)
            for name in self.names():
                setattr(self, name, kept[name])
            if len(bytes.fromhex(self.secret)) != 32:
                raise ValueError("secret key")
        except (ValueError, KeyError, TypeError) as bad:
            raise k.KmsError("KMS_E_STATE", f"{self.path}: {bad}") from None

    def names(self):
        return [n for n in vars(self) if n not in ("path", "lock")]

    def save(self):
        if self.path is None:
            return
        new = self.path + ".new"
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as f:
            json.dump({n: getattr(self, n) for n in self.names()}, f, indent=1)
            f.flush()
            os.fsync(f.fileno())
        os.replace(new, self.path)
        folder = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


class Connection:
    """One TCP connection: a frame out, exactly one frame back."""

    def __init__(self, address, deadline):
        self.deadline = deadline
        try:
            left = max(0.001, min(CONNECT_SECONDS, deadline - time.monotonic()))
            self.socket = socket.create_connection(address, left)
        except OSError as bad:
            raise NoAnswer(f"connect: {bad}") from None

    def take(self, n, until):
        octets = b""
        while len(octets) < n:
            left = until - time.monotonic()
            if left <= 0:
                raise NoAnswer("no reply in time")
            self.socket.settimeout(left)
            more = self.socket.recv(n - len(octets))
            if not more:
                raise NoAnswer("the host closed the connection")
            octets += more
        return octets

    def ask(self, octets, wanted):
        until = min(self.deadline, time.monotonic() + REPLY_SECONDS)
        try:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            self.socket.sendall(octets)
            header = self.take(k.HEADER, until)
            kind, length = k.read_frame_header(header)
            k.need(kind in (wanted, k.ERROR), "not an answer to what was sent")
            payload = self.take(length, until)
            return kind, header + payload, k.read_error(payload) if kind == k.ERROR else None
        except OSError as bad:
            raise NoAnswer(str(bad)) from None
        except k.KmsError as bad:
            raise NoAnswer(f"malformed answer: {bad.why}") from None

    def close(self):
        self.socket.close()


class Answer:
    """What a host said: a status by name, the Reply unless it was an ERROR, and the lease."""

    def __init__(self, status, reply=None, retry_after=0, lease=None, clear=False, bad=None):
        self.status = k.STATUS.get(status, f"status {status}")
        self.reply, self.retry_after, self.lease = reply, retry_after, lease
        self.bad = bad    # why its lease does not verify
        self.next_host = clear or bad is not None or status in k.NEXT_HOST
        # After these the same request is repeated, at once or at the next attempt; an ERROR
        # changes nothing that is kept, so the request under way stays too.
        self.busy = self.status in ("KMS_E_OVERLOAD", "KMS_E_LEDGER")
        self.repeat = clear or self.busy


def machine_id():
    try:
        with open("/etc/machine-id", encoding="ascii") as f:
            text = f.read(100).removesuffix("\n")
    except (OSError, ValueError):
        return None
    good = len(text) == 32 and set(text) <= set("0123456789abcdef") and set(text) != {"0"}
    return text if good else None


class Witness:
    """What the client knows of the hosts' records."""

    def __init__(self, state):
        self.state = state
        self.warned = False

    def known(self, host_id, signing):
        """(what is kept of this host, its signed header), or twice None."""
        kept = self.state.hosts.get(host_id.hex())
        if not kept:
            return None, None
        header = bytes.fromhex(kept["highest"])
        k.signed_header(host_id, signing, header)
        return kept, header

    def answered(self, kept, header, shown, show, now):
        """A sealed reply came to a request that said kept, with its header when shown."""
        if not kept:
            return
        kept["used"] = now
        if shown:
            kept["wanted"] = kept["once"] = not kept.get("once", False)
        else:
            kept["wanted"], kept["once"] = show == int.from_bytes(header[24:32], "big"), False

    def lease(self, c, bundle, now):
        """A lease that came in answer to the request under way."""
        b = k.read_bundle(bundle)
        new, host_id = b.header + b.signature, k.host_id_of(c.signing)
        number = k.signed_header(host_id, c.signing, new).number
        kept, header = self.known(host_id, c.signing)
        if not kept:
            if self.room(host_id):
                self.state.hosts[host_id.hex()] = {"highest": new.hex(), "wanted": False,
                                                   "used": now, "pair": None}
            return
        highest = header
        if kept["wanted"] and self.state.lease:
            had = k.read_bundle(bytes.fromhex(self.state.lease["bundle"]))
            leased = had.header + had.signature
            if leased[8:24] == host_id and leased[24:32] > header[24:32]:
                header = leased
        before = int.from_bytes(header[24:32], "big")
        if number > before:
            kept["highest"] = highest.hex() if kept["wanted"] else new.hex()
        elif number < before or new[:108] != header[:108]:
            kept["pair"] = kept["pair"] or [header.hex(), new.hex()]
            self.warned = True

    def room(self, host_id):
        hosts = self.state.hosts
        if len(hosts) < 8:
            return True
        of_lease = self.state.lease and k.read_batch_header(
            k.read_bundle(bytes.fromhex(self.state.lease["bundle"])).header).host_id.hex()
        may_go = [h for h in hosts if not hosts[h]["pair"] and h != of_lease]
        if may_go:
            del hosts[min(may_go, key=lambda h: hosts[h]["used"])]
        return bool(may_go)


class Sent:
    """What was sent to each host, so that a request can say what it may come after."""

    ROOM = 9

    def __init__(self, state):
        self.state = state

    def of(self, host_id):
        return self.state.sent.setdefault(host_id.hex(), [])

    def last_answer(self, sent):
        return max((i for i, p in enumerate(sent) if p["answered"]), default=-1)

    def droppable(self, sent):
        """The place of one that may go; None: each of them may be the one that was served."""
        last = self.last_answer(sent)
        if last > 0:
            return 0
        return next((i for i, p in enumerate(sent) if i > last and p["refused"]), None)

    def unsettled(self, host_id, pending):
        sent = self.of(host_id)
        if (len(sent) < self.ROOM - 1 or self.droppable(sent) is not None
                or sent[-1]["request_id"] == pending["request_id"]):
            return None
        return sent[-1]

    def add(self, host_id, pending):
        """Whether it was sent to this host for the first time."""
        sent = self.of(host_id)
        if sent and sent[-1]["request_id"] == pending["request_id"]:
            sent[-1]["refused"] = False
            return False
        if len(sent) == self.ROOM:
            place = self.droppable(sent)
            del sent[self.ROOM // 2 if place is None else place]
        sent.append(dict(pending, refused=False, answered=False))
        self.state.save()
        return True

    def say(self, host_id, pending):
        ids = [p["request_id"] for p in self.of(host_id)]
        return [bytes.fromhex(i) for i in ids if i != pending["request_id"]][:8]

    def answered(self, host_id, reply, first):
        sent = self.of(host_id)
        status = k.STATUS.get(reply.status)
        own = status == "KMS_E_SEQUENCE" and not reply.challenge
        if status in ("KMS_OK", "KMS_E_COUNT_TOO_LOW") or own:
            sent[-1]["answered"] = True
        elif status == "KMS_E_SEQUENCE":
            for p in sent[self.last_answer(sent) + 1:]:
                p["refused"] = True
        elif first and status not in ("KMS_E_LEDGER", "KMS_E_OVERLOAD"):
            sent[-1]["refused"] = True


class Client:
    def __init__(self, options):
        self.o = options
        self.publisher = k.publisher_key(options.publisher)
        self.state = State(None if options.command == VISIT else options.state)
        self.witness = Witness(self.state)
        self.sent = Sent(self.state)
        self.secret = bytes.fromhex(self.state.secret)
        self.public = k.public_key(self.secret)
        self.cmid = k.cmid_of(self.public)
        self.product = uuid.UUID(options.product).bytes

    def now(self):
        return int(time.time()) + self.o.clock_offset

    # The request under way

    def new_request(self, operation):
        self.state.pending = {"operation": operation, "product": self.product.hex(),
                              "request_id": os.urandom(16).hex(),
                              "sequence": self.state.sequence, "since": self.now(),
                              "borrow": self.borrows(operation)}
        self.state.save()

    def borrows(self, operation):
        """Minutes."""
        return self.o.borrow if operation != k.RELEASE else 0

    def begin(self, operation):
        p = self.state.pending
        # A lost answer may have used the echo up: that request is not given up.
        young = p and (self.state.echo or 0 <= self.now() - p["since"] < AN_HOUR)
        wanted = (operation, self.product.hex(), self.borrows(operation))
        if young and (p["operation"], p["product"], p.get("borrow", 0)) == wanted:
            return
        self.state.sequence += 1
        self.new_request(operation)

    def licence(self):
        """The licence state to tell: 0 to 5, no grace known here."""
        e = self.held()[0]
        if not e or e.product != self.product:
            return 0
        if self.now() >= e.expires:
            return 4
        return 3 if self.now() >= e.renew_after else 2

    def held(self):
        """(entry of the kept lease, without its checks; None), and its two parts."""
        if not self.state.lease:
            return None, None, None
        certificate = bytes.fromhex(self.state.lease["certificate"])
        bundle = bytes.fromhex(self.state.lease["bundle"])
        return k.read_client_entry(k.read_bundle(bundle).entry), certificate, bundle

    def claims(self, exchange, kept, header, p):
        """What the request p says of the host and of this machine."""
        machine, echo = machine_id(), self.state.echo
        return k.claims(header, header if kept and kept["wanted"] else None,
                        bytes.fromhex(echo) if echo else None,
                        k.binding_of(bytes.fromhex(p["product"]), machine) if machine else None,
                        borrow=p.get("borrow", 0) if p is self.state.pending else 0,
                        after=self.sent.say(exchange.host_id, p))

    def frame_for(self, exchange, keys, p, tail=b""):
        text = k.request_text(p["operation"], self.licence(), self.o.vm, 0,
                              bytes.fromhex(p["request_id"]), self.now(), p["sequence"],
                              bytes.fromhex(p["product"]),
                              k.salt_of(bytes.fromhex(self.state.secret)), self.o.name)
        if self.state.path is None:
            text = k.with_flags(text, (k.VIRTUAL if self.o.vm else 0) | k.STATELESS)
        return k.seal_request(text + tail, exchange.host_id, exchange.key_id, self.public,
                              os.urandom(24), keys[1])

    # One address

    def hello(self, link, host):
        """The host's certificate and exchange key, verified and kept; or an Answer: an ERROR."""
        kind, octets, error = link.ask(k.frame(k.HELLO, self.publisher.key_id), k.HELLO_REPLY)
        if kind == k.ERROR:
            return Answer(error.status, None, error.retry_after, clear=True)
        try:
            raw, statement = k.read_hello_reply(octets[k.HEADER:])[1:3]
        except k.KmsError as bad:
            raise NoAnswer(f"malformed HELLO_REPLY: {bad.why}") from None
        c = k.verify_certificate(raw, self.publisher)
        exchange = k.verify_exchange(statement, c.signing, self.now())
        self.state.certificates[host] = [raw.hex(), statement.hex()]
        self.state.save()
        return raw, exchange

    def kept_certificate(self, host):
        kept = self.state.certificates.get(host)
        if not kept:
            return None
        try:
            raw = bytes.fromhex(kept[0])
            c = k.verify_certificate(raw, self.publisher)
            exchange = k.verify_exchange(bytes.fromhex(kept[1]), c.signing, self.now())
        except (k.KmsError, ValueError, IndexError):
            return None
        fresh = c.not_before <= self.now() <= c.not_after and self.now() <= exchange.until
        return (raw, exchange) if fresh else None

    def ask_address(self, host, address, deadline):
        link = Connection(address, deadline)
        self.caught_up = False
        try:
            return self.converse(link, host)
        finally:
            link.close()

    def converse(self, link, host):
        known, helloed, settled = self.kept_certificate(host), False, False
        while True:
            if known is None:
                known, helloed = self.hello(link, host), True
                if isinstance(known, Answer):
                    return known
            raw, exchange = known
            keys = k.session_keys(k.x25519(self.secret, exchange.key), self.public, exchange.key)
            c = k.read_certificate(raw)
            kept, header = self.witness.known(exchange.host_id, c.signing)
            shown = bool(kept and kept["wanted"])
            # With an echo the host needs to know nothing else.
            again = None
            if not self.state.echo and not settled:
                again = self.sent.unsettled(exchange.host_id, self.state.pending)
            first = not again and self.sent.add(exchange.host_id, self.state.pending)
            asked = again or self.state.pending
            kind, octets, error = link.ask(
                self.frame_for(exchange, keys, asked, self.claims(exchange, kept, header, asked)),
                k.REPLY)
            if kind == k.ERROR:
                if (k.STATUS[error.status] in ("KMS_E_UNKNOWN_HOST", "KMS_E_UNKNOWN_KEY")
                        and not helloed):
                    # Most likely it got to another host.
                    self.sent.of(exchange.host_id)[-1]["refused"] |= first
                    known = None
                    continue
                return Answer(error.status, None, error.retry_after, clear=True)
            reply = self.opened(octets, keys, asked)
            self.witness.answered(kept, header, shown, reply.show, self.now())
            self.sent.answered(exchange.host_id, reply, first)
            if again and k.STATUS.get(reply.status) not in ("KMS_E_LEDGER", "KMS_E_OVERLOAD"):
                settled = True
                continue
            if k.STATUS.get(reply.status) == "KMS_E_DOWNGRADE" and not helloed:
                known = None
                continue
            highest = reply.highest_sequence or 0
            if (reply.status == k.NUMBER["KMS_E_SEQUENCE"] and not self.caught_up
                    and self.state.sequence <= highest < 2**62
                    and highest - self.state.sequence <= 2**32):
                self.caught_up = True
                self.state.sequence = highest + 1
                if reply.challenge:
                    self.state.echo = reply.challenge.hex()
                self.new_request(self.state.pending["operation"])
                continue
            lease, bad = None, None
            if reply.status == 0 and self.state.pending["operation"] != k.RELEASE:
                try:
                    lease = self.verified(link, host, raw, reply, helloed)
                    self.witness.lease(k.read_certificate(lease[1]), lease[2], self.now())
                except k.KmsError as wrong:
                    bad = wrong
            return Answer(reply.status, reply, reply.retry_after or 0, lease, bad=bad)

    def opened(self, octets, keys, p):
        try:
            reply = k.read_reply(k.open_reply(octets, keys[0]), p["operation"])
        except k.KmsError as bad:
            raise NoAnswer(f"dropped answer: {bad.why}") from None
        if reply.request_id != bytes.fromhex(p["request_id"]):
            short = reply.status == k.NUMBER["KMS_E_BAD_REQUEST"] and not any(reply.request_id)
            if not short:
                raise NoAnswer("answer to another request")
        return reply

    def verified(self, link, host, raw, reply, helloed):
        p = self.state.pending
        while True:
            try:
                e = k.verify_lease(raw, reply.bundle, self.publisher, self.now(), cmid=self.cmid,
                                   product=self.product,
                                   request=(bytes.fromhex(p["request_id"]), p["sequence"]),
                                   told=self.told(), sent=p["since"])
                return e, raw, reply.bundle
            except k.KmsError as bad:
                if helloed or bad.name not in ("KMS_E_KEY_EXPIRED", "KMS_E_NOT_COVERED"):
                    raise
            again, helloed = self.hello(link, host), True
            if isinstance(again, Answer):
                raise k.KmsError("KMS_E_KEY_EXPIRED", f"HELLO was answered with {again.status}")
            raw = again[0]

    def told(self):
        """Commitments to the names that a request says."""
        names = k.Names(k.salt_of(self.secret), bytes(16), self.o.name, "")
        return k.commitments(names)[:2]

    # All hosts

    def round(self, deadline):
        """Every host once: the last Answer, and why there was none."""
        answer, why, broken = None, [], None
        for host in self.o.host:
            for address in addresses(host, why):
                if time.monotonic() >= deadline:
                    break
                try:
                    answer = self.ask_address(host, address, deadline)
                except NoAnswer as none:
                    why.append(f"{host}: {none}")
                    continue
                except k.KmsError as bad:
                    broken = bad
                    continue
                if not answer.next_host:
                    return answer, why
                break
        if answer is None and broken:
            raise broken
        return answer, why

    def perform(self, operation):
        self.begin(operation)
        deadline = time.monotonic() + self.o.timeout
        while True:
            answer, why = self.round(deadline)
            wait = (answer.retry_after if answer else 0) or 1
            again = answer.busy if answer else self.o.insist
            if not again or time.monotonic() + wait >= deadline:
                break
            time.sleep(wait * random.uniform(1, 1.2))
        for line in why:
            print("no-answer:", line)
        if answer:
            self.conclude(operation, answer)
        if answer and answer.bad:
            raise answer.bad
        return answer

    def conclude(self, operation, answer):
        s = self.state
        s.latest = max(s.latest, self.now())
        if answer.reply:
            if answer.status in ("KMS_OK", "KMS_E_COUNT_TOO_LOW"):
                s.echo = None
            near = abs(answer.reply.time - self.now()) <= k.CLOCK_FAR
            if near and answer.status in ("KMS_OK", "KMS_E_COUNT_TOO_LOW"):
                s.latest = self.now()
            s.activation = answer.reply.activation or s.activation
            s.renewal = answer.reply.renewal or s.renewal
        if answer.lease:
            s.lease = {"certificate": answer.lease[1].hex(), "bundle": answer.lease[2].hex()}
        if operation == k.RELEASE and answer.status == "KMS_OK":
            s.lease = None
        if not answer.repeat:
            s.pending = None
        s.save()


def addresses(host, why):
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        name, port = host, "1688"
    try:
        found = socket.getaddrinfo(name.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError) as bad:
        why.append(f"{host}: {bad}")
        return []
    return [f[4][:2] for f in found]


def show_entry(e, bundle):
    print("cmid:", e.cmid.hex())
    print("product:", uuid.UUID(bytes=e.product))
    names = k.names_of(e, k.read_bundle(bundle).aside)
    print("name:", names.name if names else "")
    print("request-id:", e.request_id.hex())
    print("sequence:", e.sequence)
    print("issued:", e.time)
    print("renew-after:", e.renew_after)
    print("expires:", e.expires)
    print("marked:", "yes" if e.flags & 2 else "no")
    print("lease-sha256:", hashlib.sha256(bundle).hexdigest())


def show_answer(client, answer):
    print("status:", answer.status)
    if client.witness.warned:
        print("warning: KMS_E_HISTORY")
    if answer.retry_after:
        print("retry-after:", answer.retry_after)
    if answer.reply:
        r = answer.reply
        print(f"host-time: {r.time}\ncount: {r.count}\nrequired: {r.required}")
        print(f"activation-minutes: {r.activation}\nrenewal-minutes: {r.renewal}")
    if answer.lease:
        show_entry(answer.lease[0], answer.lease[2])
    else:
        print("cmid:", client.cmid.hex())
        print("sequence:", client.state.sequence)
    return 0 if answer.status == "KMS_OK" else 1


def status(client):
    s = client.state
    print(f"cmid: {client.cmid.hex()}\nsequence: {s.sequence}")
    print("pending:", s.pending["request_id"] if s.pending else "none")
    e, certificate, bundle = client.held()
    if not e:
        raise k.KmsError("KMS_E_NO_LEASE", "there is no lease")
    k.verify_lease(certificate, bundle, client.publisher, client.now(), cmid=client.cmid,
                   product=client.product, latest=s.latest)
    print("licence:", "renewal due" if client.now() >= e.renew_after else "activated")
    show_entry(e, bundle)
    print("status: KMS_OK")
    return 0


def export_lease(client, path):
    _, certificate, bundle = client.held()
    if not bundle:
        raise k.KmsError("KMS_E_NO_LEASE", "there is no lease")
    with open(path, "wb") as f:
        f.write(k.write_lease_file(certificate, bundle))
    print("status: KMS_OK")
    return 0


def evidence(client, path):
    """Writes what is kept against the first host whose certificate is kept too."""
    pairs = {host: kept["pair"] for host, kept in client.state.hosts.items() if kept["pair"]}
    raws = [c[0] for c in client.state.certificates.values()]
    raws += [client.state.lease["certificate"]] if client.state.lease else []
    for raw in map(bytes.fromhex, raws):
        pair = pairs.get(k.host_id_of(k.read_certificate(raw).signing).hex())
        if pair:
            with open(path, "wb") as f:
                f.write(k.write_evidence_file(raw, *map(bytes.fromhex, pair)))
            print("status: KMS_OK")
            return 0
    raise k.KmsError("KMS_E_NOT_FOUND", "there is no evidence")


def verify_evidence(options):
    with open(options.file, "rb") as f:
        kind, c, one, two = k.verify_evidence_file(f.read(65536),
                                                   k.publisher_key(options.publisher))
    print(f"kind: {kind}\ncustomer: {c.customer}\nhost-id: {one.host_id.hex()}")
    print(f"first: {one.number}\nsecond: {two.number}\nstatus: KMS_OK")
    return 0


def verify_file(options):
    with open(options.file, "rb") as f:
        certificate, bundle = k.read_lease_file(f.read(65536))
    e = k.verify_lease(certificate, bundle, k.publisher_key(options.publisher),
                       int(time.time()) + options.clock_offset)
    print("host-id:", k.read_batch_header(k.read_bundle(bundle).header).host_id.hex())
    show_entry(e, bundle)
    print("status: KMS_OK")
    return 0


def visit(client):
    """A client without state: its seat lasts as long as this."""
    answer = client.perform(k.ACTIVATE)
    if answer is None:
        print("status: KMS_E_NO_HOST")
        return 3
    code = show_answer(client, answer)
    for name in ("renew", "release") if code == 0 else ():
        answer = client.perform(OPERATIONS[name])
        print(f"{name}:", answer.status if answer else "KMS_E_NO_HOST")
    return code


def arguments(argv, commands=()):
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--publisher", required=True, help="minisign public key line, RW...")
    a.add_argument("--product", help="UUID")
    a.add_argument("--host", action="append", default=[], help="NAME[:PORT]; may be repeated")
    a.add_argument("--state", help="JSON file")
    a.add_argument("--name", default=socket.gethostname()[:64], help="host name to tell")
    a.add_argument("--vm", action="store_true", help="say that this is a virtual machine")
    a.add_argument("--clock-offset", type=int, default=0, metavar="SECONDS")
    a.add_argument("--timeout", type=float, default=ALL_SECONDS, metavar="SECONDS")
    a.add_argument("--insist", action="store_true", help="try all hosts again until --timeout")
    a.add_argument("--borrow", type=int, default=0, metavar="MINUTES")
    a.add_argument("command", choices=[*OPERATIONS, VISIT, "status", "export-lease",
                                       "verify-lease-file", "evidence", "verify-evidence",
                                       *commands])
    a.add_argument("file", nargs="?")
    o = a.parse_args(argv)
    alone = ("verify-lease-file", "verify-evidence")
    if o.command in ("export-lease", "evidence", *alone) and not o.file:
        a.error("which FILE?")
    if o.command not in alone and not (o.product and (o.state or o.command == VISIT)):
        a.error("--product and --state are needed")
    if o.command in (*OPERATIONS, VISIT, *commands) and not o.host:
        a.error("--host is needed")
    return o


def run(options, make=Client):
    if options.command == "verify-lease-file":
        return verify_file(options)
    if options.command == "verify-evidence":
        return verify_evidence(options)
    client = make(options)
    if options.command == VISIT:
        return visit(client)
    if options.command == "status":
        return status(client)
    if options.command == "export-lease":
        return export_lease(client, options.file)
    if options.command == "evidence":
        return evidence(client, options.file)
    answer = client.perform(OPERATIONS[options.command])
    if answer is None:
        print("status: KMS_E_NO_HOST")
        return 3
    return show_answer(client, answer)


def main(argv):
    try:
        return run(arguments(argv))
    except k.KmsError as bad:
        print(f"status: {bad.name}\nwhy: {bad.why}")
        return 5 if bad.name == "KMS_E_STATE" else 4
    except OSError as bad:
        print(f"status: KMS_E_IO\nwhy: {bad}")
        return 5


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
