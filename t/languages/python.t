#!/usr/bin/python3
"""What the Python package does beside libkms: with and await, exceptions, signals, threads, clocks, and what it refuses before C sees it. The hosts
are stand-ins (t/lib/standin.c)."""

import asyncio
import copy
import gc
import locale
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from uuid import UUID

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import BUILD, done, environment, equal, ok, raises

import kms
from kms import Licence, Operation, Status, _values

PRODUCT = "6f1d2c3b-4a59-4687-9abc-def012345678"
place = tempfile.TemporaryDirectory(prefix="kms-python-")
states = 0


class Host:
    """A stand-in; what it was asked is there when it is left."""

    def __init__(self, *modes):
        self.process = subprocess.Popen([f"{BUILD}/t/lib/standin", *modes], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port, self.key = self.process.stdout.readline().split()
        self.at = f"127.0.0.1:{port}"
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.asked = [line.split()[1] for line in self.process.stdout]
        self.process.stdout.close()
        self.process.wait()

    def client(self, state=None, cls=kms.Client, **options):
        return cls(self.key, PRODUCT, state, host=self.at, name="tester", **options)


def state():
    global states
    states += 1
    return f"{place.name}/{states}"


with Host("good") as host:
    KEY = host.key

    # A life.
    path = state()
    with host.client(path) as client:
        equal(client.next(), (timedelta(0), Operation.ACTIVATE), "it is time to activate")
        equal(client.status().licence, Licence.GRACE, "in its grace")
        ok(timedelta(days=29) < client.status().grace_left <= timedelta(days=30), "of thirty days")
        equal(client.status().expires, None, "no lease, no end")
        raises(kms.Error, client.verify, "nothing to verify", status=Status.NO_LEASE)
        result = client.ask(Operation.ACTIVATE)
        equal((result.status, result.count, result.retry_after), (Status.OK, 25, None), "activated")
        info = client.status()
        equal((info.licence, info.customer, info.borrowed), (Licence.ACTIVATED, "Test Customer", False), "licensed")
        ok(info.expires > info.renew_after > datetime.now(timezone.utc), "with times of the future")
        equal(client.verify(), None, "verified")
        wait, operation = client.next()
        ok(timedelta(0) < wait <= timedelta(days=1) and operation == Operation.RENEW, "the next one renews")
        lease = client.export_lease()
        proved = kms.verify_lease(lease, KEY)
        equal((proved.cmid, proved.product, proved.name, proved.names), (info.cmid, UUID(PRODUCT), "tester", kms.Names.MATCH), "its lease is proved")
        equal(kms.verify_lease(client.export_lease(names=False), KEY).names, kms.Names.NONE, "without names, too")
        late = raises(kms.Error, lambda: kms.verify_lease(lease, KEY, proved.expires + timedelta(seconds=1)), "not for ever", status=Status.LEASE_EXPIRED)
        equal(late.value, proved, "and what it was is told")
        equal(kms.verify_lease(lease, KEY, proved.issued), proved, "at a time")
        raises(ValueError, lambda: kms.verify_lease(lease, KEY, datetime(2030, 1, 1)), "a time without a zone is no time")
        raises(kms.Error, lambda: kms.verify_lease(lease[:-1], KEY), "a lease that was cut", status=Status.TRUNCATED)
        equal((client.entitlement("none"), client.entitlement("none", "1")), (None, "1"), "what was not bought")
        equal(client.discover(), [("127.0.0.1", int(host.at.split(":")[1]))], "its hosts")
        equal(client.evidence(), [], "no evidence")
        raises(kms.Error, lambda: client.export_evidence(0), "nor a file of it", status=Status.NOT_FOUND)
        client.renew()
        client.release()
        equal(client.status().licence, Licence.GRACE, "released")
    ok(client.closed, "closed by with")
    client.close()
    ok(True, "once more, which does nothing")
    for name in ("status", "verify", "next", "activate", "export_lease", "evidence", "discover"):
        raises(ValueError, getattr(client, name), f"{name}() of a client that is closed", args=("the client is closed",))
    with open(f"{place.name}/pub", "w+", encoding="ascii") as file:
        file.write(f"untrusted comment: minisign public key\n{KEY}\n")
        file.seek(0)
        with kms.Client(file.read(), UUID(PRODUCT), os.fsencode(state()), customer="Other"):
            ok(True, "the text of a .pub file, a UUID and a path of bytes are taken")
equal(host.asked, ["1", "2", "3"], "what the host was asked")

# A client without state gives its seat back: closed, forgotten, at the end of the program.


def closes(host):
    with host.client() as client:
        client.activate()


def forgets(host):
    client = host.client()
    client.activate()
    del client
    gc.collect()


def ends(host):
    code = f"import kms\nc = kms.Client({host.key!r}, {PRODUCT!r}, host={host.at!r})\nc.activate()\n"
    equal(subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode, 0, "a program that closes nothing")


for way in (closes, forgets, ends):
    with Host("good") as host:
        way(host)
    equal(host.asked, ["1", "3"], f"a product that {way.__name__}: its seat is given back")

# What C never sees.
for option in ("host", "domain", "nameserver", "name", "customer", "host_key", "user"):
    raises(ValueError, lambda: kms.Client(KEY, PRODUCT, **{option: "a\0b"}), f"{option} with a NUL", args=(f"{option}: it contains a NUL character",))
    raises(TypeError, lambda: kms.Client(KEY, PRODUCT, **{option: 7}), f"{option} that is a number", args=(f"{option}: it needs a str, and is of type int",))
raises(ValueError, lambda: kms.Client(KEY + "\0", PRODUCT), "a key with a NUL")
raises(ValueError, lambda: kms.Client(KEY, PRODUCT, "a\0b"), "a path with a NUL", args=("state_file: it contains a NUL character",))
raises(ValueError, lambda: kms.Client(KEY, PRODUCT, virtual_machine=3), "a kind of machine that is none")
UNITS = {"grace": timedelta(minutes=1), **dict.fromkeys(("connect_timeout", "reply_timeout", "total_timeout", "close_timeout"), timedelta(milliseconds=1))}
for option, unit in UNITS.items():
    raises(TypeError, lambda: kms.Client(KEY, PRODUCT, **{option: 5}), f"{option} without a unit", args=(f"{option}: it needs a timedelta, and is of type int",))
    for bad in (-unit, 0xFFFFFFFF * unit, timedelta.max, *([] if option == "grace" else [timedelta(0)])):
        raises(ValueError, lambda: kms.Client(KEY, PRODUCT, **{option: bad}), f"{option} of {bad}")
    for good in (timedelta(microseconds=1), unit, 0xFFFFFFFE * unit):
        with kms.Client(KEY, PRODUCT, state(), **{option: good}) as client:
            equal(client.status().licence, Licence.GRACE, f"{option} of {good}")
with kms.Client(KEY, PRODUCT, state(), grace=kms.NO_GRACE) as client:
    equal(client.status().licence, Licence.UNLICENSED, "no grace")
with kms.Client(KEY, PRODUCT, state()) as client:
    raises(ValueError, lambda: client.entitlement("a\0b"), "a name with a NUL")
    for bad in (timedelta(0), timedelta(minutes=-1)):
        raises(ValueError, lambda: client.borrow(bad), f"borrowed for {bad}")
    raises(TypeError, lambda: client.borrow(7), "borrowed without a unit")
    raises(ValueError, lambda: client.ask(4), "an operation that is none")

# What C refuses says why.
wrong = raises(kms.Error, lambda: kms.Client(KEY, "6f1d"), "no UUID", status=Status.FORMAT)
ok(str(wrong).startswith('product: "6f1d" is not a UUID. It needs '), "the message names the option")
raises(kms.Error, lambda: kms.Client("RW", PRODUCT), "no key", status=Status.FORMAT)
raises(kms.Error, lambda: kms.Client(KEY, PRODUCT, f"{place.name}/no/state"), "no such folder", status=Status.IO)

# What a host refuses.
with Host("count", "-o", "retry=77") as host:
    refused = raises(kms.Refused, host.client(state()).activate, "too few", status=Status.COUNT_TOO_LOW, remedy=Status.COUNT_TOO_LOW.remedy)
    equal((refused.value.count, refused.value.required, refused.value.retry_after), (7, 25, timedelta(seconds=77)), "the exception has the result")
    ok("KMS_E_COUNT_TOO_LOW" in str(refused) and refused.remedy in str(refused), "and what to do")
    for again in (pickle.loads(pickle.dumps(refused)), copy.copy(refused)):
        equal((type(again), again.status, again.detail, again.value), (kms.Refused, refused.status, refused.detail, refused.value), "it can be copied")
gone = raises(kms.Unreachable, host.client(state()).activate, "the host is gone", status=Status.NO_HOST)
ok(host.at.replace(":", " port ") in gone.detail, "which one is told")
with Host("silent") as host:
    raises(kms.Unreachable, host.client(state(), reply_timeout=timedelta(milliseconds=200)).activate, "a silent host", status=Status.TIMEOUT)

# Evidence.
with Host("-s", "3", "good:batch=9,good:batch=4") as host:
    with host.client(state()) as client:
        equal(client.activate().warning, Status.OK, "a first lease")
        equal(client.renew().warning, Status.HISTORY, "the host's record went back")
        (evidence,) = client.evidence()
        equal((evidence.kind, evidence.verified, evidence.number), (kms.EvidenceKind.WENT_BACK, True, (9, 4)), "the evidence")
        equal([len(x) for x in evidence.header + evidence.signature + evidence.hash], [108, 108, 64, 64, 32, 32], "its bytes")
        file = client.export_evidence(0)
        equal(kms.verify_evidence(file, KEY), evidence, "others verify it")
        raises(kms.Error, lambda: kms.verify_evidence(file[:-1], KEY), "not when it was cut", status=Status.TRUNCATED)
        raises(ValueError, lambda: kms.verify_evidence(file, "\0"), "a key with a NUL")

# Numbers that a newer libkms may know, and times that somebody signed.
for cls in (Status, Licence, kms.Names, kms.EvidenceKind):
    equal((cls(4000000000).name, cls(4000000000)), ("UNKNOWN_4000000000", 4000000000), f"{cls.__name__}: an unknown number is a number")
    for bad in (-1, 1 << 32, "x"):
        raises(ValueError, lambda: cls(bad), f"{cls.__name__}: {bad!r} is none")
ok(not Licence(99).may_run, "a licence that nobody knows is none")
ok(Status(255).meaning and Status(255).text("de"), "and has texts")
equal([_values.time_of(t) for t in (0, 1)], [None, datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)], "times")
equal({_values.time_of(t).year for t in (253402300799, 253402300800, 1 << 62, (1 << 64) - 1)}, {9999}, "no time is too late")
equal({l.name: l.may_run for l in Licence}, dict(UNLICENSED=False, GRACE=True, ACTIVATED=True, RENEWAL_DUE=True, EXPIRED=False, CLOCK_BACK=False), "who may run")

# Texts.
equal(Licence.ACTIVATED.text("de_AT.UTF-8"), "dieses Produkt ist lizenziert", "German")
equal(Licence.ACTIVATED.text(), Licence.ACTIVATED.text("en"), "the locale's, which is none")
ok(Status.CAPACITY.text_next("de") != Status.CAPACITY.text_next("en"), "and of a status")
equal(Status.OVERLOAD.next_step, kms.NextStep.HOST, "what a client does next")
raises(ValueError, lambda: Status.OK.text("d\0e"), "a language with a NUL")
ok(locale.setlocale(locale.LC_MESSAGES) in ("C", "C.UTF-8"), "no locale was set here")

# A clock of the product's own.
clock = [time.time()]
with Host("good") as host:
    path = state()
    with host.client(path, now=lambda: clock[0]) as client:
        client.activate()
        clock[0] += 23 * 3600
        equal(client.status().licence, Licence.RENEWAL_DUE, "later")
        clock[0] -= 9 * 3600
        equal(client.status().licence, Licence.CLOCK_BACK, "and back")
    failing = [False]

    def broken():
        if failing[0]:
            raise LookupError("no clock")
        return time.time()

    with host.client(state(), now=broken) as client:
        failing[0] = True
        raises(LookupError, client.status, "what a clock raises", args=("no clock",))
        failing[0] = False
        equal(client.status().licence, Licence.GRACE, "is over with it")
    holder = []
    client = host.client(state(), now=lambda: holder[0].status().count if holder else time.time())
    holder.append(client)
    raises(RuntimeError, client.status, "a clock that asks its client")
    holder.clear()
    client.close()

# Ctrl-C, and other threads, while a host is silent.
with Host("silent,silent,good") as host:
    path = state()
    client = host.client(path)

    def when_asking(does):
        def waits():
            while not client._asking:
                time.sleep(0.001)
            does()

        thread = threading.Thread(target=waits)
        thread.start()
        return thread

    thread = when_asking(lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        client.activate()
        ok(False, "Ctrl-C interrupts a request")
    except KeyboardInterrupt:
        ok(True, "Ctrl-C interrupts a request")
    thread.join()
    said = {}

    def others():
        said["status"] = client.status().licence
        said["next"] = client.next()
        said["again"] = raises(kms.Error, client.activate, "one request at a time", status=Status.EXISTS)
        raises(RuntimeError, client.close, "it is not closed under who waits")
        os.kill(os.getpid(), signal.SIGINT)

    thread = when_asking(others)
    try:
        client.activate()
    except KeyboardInterrupt:
        pass
    thread.join()
    equal((said["status"], said["next"]), (Licence.GRACE, (None, None)), "another thread looks at the licence meanwhile")
    equal(client.activate().status, Status.OK, "the state file is free again")
    client.close()

with Host("good") as host, host.client(state()) as client:
    client.activate()
    licences = []
    threads = [threading.Thread(target=lambda: licences.extend(client.status().licence for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(licences, [Licence.ACTIVATED] * 400, "eight threads and one object")


# asyncio.
async def asks():
    with Host("good") as host:
        async with host.client(cls=kms.AsyncClient) as client:
            worked = asyncio.ensure_future(asyncio.sleep(0, "worked"))
            equal((await client.activate()).status, Status.OK, "awaited")
            equal(await worked, "worked", "beside other work")
            equal(client.status().licence, Licence.ACTIVATED, "and licensed")
            await client.renew()
    equal(host.asked, ["1", "2", "3"], "its seat is given back at the end")
    with Host("count") as host:
        async with host.client(state(), kms.AsyncClient) as client:
            try:
                await client.activate()
            except kms.Refused as refused:
                equal(refused.status, Status.COUNT_TOO_LOW, "a refusal is raised")
    with Host("silent,silent,silent,good") as host:
        async with host.client(state(), kms.AsyncClient) as client:
            try:
                await asyncio.wait_for(client.activate(), 0.05)
            except asyncio.TimeoutError:
                ok(True, "a time-out of asyncio gives it up")
            equal(client.next()[1], Operation.ACTIVATE, "nothing is under way then")
            first = asyncio.ensure_future(client.activate())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            try:
                await client.renew()
            except kms.Error as error:
                equal(error.status, Status.EXISTS, "one request at a time")
            ok(not first.done(), "the first goes on")
            equal(client.status().licence, Licence.GRACE, "the licence can be asked for")
            first.cancel()
            equal(type((await asyncio.gather(first, return_exceptions=True))[0]), asyncio.CancelledError, "until it is cancelled")
            last = asyncio.ensure_future(client.activate())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        equal(type((await asyncio.gather(last, return_exceptions=True))[0]), asyncio.CancelledError, "closing gives up what it asks")
        ok(client.closed, "and closes")
    with Host("good") as host:
        clients = [host.client(state(), kms.AsyncClient) for _ in range(10)]
        results = await asyncio.gather(*(client.activate() for client in clients))
        equal([r.status for r in results], [Status.OK] * 10, "ten at once")
        for client in clients:
            await client.close()


asyncio.run(asks())
place.cleanup()
done()
