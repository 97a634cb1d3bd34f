"""One object of libkms, and all its methods that contact no host."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import Structure, c_char_p, c_void_p, cast, get_errno
from datetime import timedelta
from typing import Any, Callable, Optional, Union
from uuid import UUID

from . import _abi
from ._abi import byref, c_size_t, c_uint, create_string_buffer, lib, sizeof
from ._numbers import Operation, Status, VirtualMachine
from ._values import EvidenceInfo, Result, StatusInfo, error_of, value_of

#: For grace: the product does not run without a lease, not even at first.
NO_GRACE = timedelta(0)

_MAX = 0xFFFFFFFE
_MINUTE = timedelta(minutes=1)
_MILLISECOND = timedelta(milliseconds=1)
#: The most that a call with a buffer is given; all that it may answer is far shorter.
_ROOM = 1 << 20

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


def length(option: str, value: Optional[timedelta], unit: timedelta) -> int:
    """A duration in the units of C, rounded up, because 0 means the default in C."""
    if value is None:
        return 0
    if not isinstance(value, timedelta):
        raise TypeError(f"{option}: it needs a timedelta, and is of type {type(value).__name__}")
    count, rest = divmod(value, unit)
    count += bool(rest)
    if not 0 < count <= _MAX:
        raise ValueError(f"{option}: it is {value}. It needs more than nothing, and at most {_MAX * unit}")
    return count


def struct(cls: type[Structure]) -> Any:
    """An empty structure of C that knows its size."""
    return cls(size=sizeof(cls))


def check(status: int, detail: str = "") -> None:
    if status != Status.OK:
        raise error_of(status, detail)


def sized(call: Callable[[Any, Any], int]) -> bytes:
    """The bytes that a call writes into a buffer; the buffer grows until there is room."""
    room = 1024
    while True:
        buffer, size = create_string_buffer(room), c_size_t(room)
        status = call(buffer, byref(size))
        if status != Status.TOO_LARGE or not room < size.value <= _ROOM:
            check(status)
            return buffer.raw[: size.value]
        room = size.value


class _Clock:
    """kms_options.now: C cannot hand on what Python raises, so it is kept for the end of the call."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.failed: Optional[BaseException] = None
        self.now = now
        self.pointer = _abi.Now(self._read)

    def _read(self, _: Any) -> int:
        try:
            return int(self.now())
        except BaseException as failed:
            self.failed = failed
            return int(time.time())

    def rethrow(self) -> None:
        failed, self.failed = self.failed, None
        if failed is not None:
            raise failed


def _close(handle: int, clock: Optional[_Clock]) -> None:
    """Has the clock, so that it lives as long as C may call it."""
    lib.kms_close(handle)
    if clock is not None:
        clock.failed = None


class Object:
    """Offline: the licence, the lease and its proofs. Several threads may use one object in turn."""

    def __init__(
        self,
        publisher_key: str,
        product: Union[str, UUID],
        state_file: Optional[Path] = None,
        *,
        host: Optional[str] = None,
        domain: Optional[str] = None,
        nameserver: Optional[str] = None,
        name: Optional[str] = None,
        virtual_machine: VirtualMachine = VirtualMachine.DETECT,
        grace: Optional[timedelta] = None,
        connect_timeout: Optional[timedelta] = None,
        reply_timeout: Optional[timedelta] = None,
        total_timeout: Optional[timedelta] = None,
        now: Optional[Callable[[], float]] = None,
        customer: Optional[str] = None,
        host_key: Optional[Union[str, UUID]] = None,
        user: Optional[str] = None,
        close_timeout: Optional[timedelta] = None,
    ) -> None:
        """Opens the client, and contacts no host.

        publisher_key       "RW...", or the text of a whole .pub file
        product             the product's UUID
        state_file          the client state file. None: a client without state; close() gives
                            its seat back
        host                "name", "name:port" or "[v6]:port". None: found by DNS SRV in domain,
                            or else in the resolver's search domains
        nameserver          "address[:port]". None: the system's
        name, user          names that the host may record. None: this machine's name; no user
        virtual_machine     with DETECT, libkms finds out
        grace               how long the product runs without a lease, from its first use. None:
                            30 days, or without a state file not at all. NO_GRACE: not at all
        connect_timeout     for each host. None: 5 seconds
        reply_timeout       for each exchange. None: 10 seconds
        total_timeout       for a whole call. None: 30 seconds
        close_timeout       for the release of close(). None: 2 seconds
        now                 another clock, for tests: seconds since 1970
        customer, host_key  pins: the client refuses a lease of any other host
        """
        self._handle: Optional[int] = None
        self._lock = threading.Lock()
        self._owner = 0
        self._asking = False
        self._clock = _Clock(now) if now is not None else None
        o = struct(_abi.Options)
        texts = {
            "publisher_key": publisher_key,
            "product": product,
            "host": host,
            "domain": domain,
            "nameserver": nameserver,
            "name": name,
            "customer": customer,
            "host_key": host_key,
            "user": user,
        }
        for option, text in texts.items():
            setattr(o, option, _abi.text_or_null(option, text))
        o.state_file = None if state_file is None else _abi.no_nul("state_file", os.fsencode(state_file))
        o.virtual_machine = VirtualMachine(virtual_machine)
        o.grace_minutes = _abi.NO_GRACE if grace == NO_GRACE else length("grace", grace, _MINUTE)
        o.connect_timeout = length("connect_timeout", connect_timeout, _MILLISECOND)
        o.reply_timeout = length("reply_timeout", reply_timeout, _MILLISECOND)
        o.total_timeout = length("total_timeout", total_timeout, _MILLISECOND)
        o.close_timeout = length("close_timeout", close_timeout, _MILLISECOND)
        if self._clock is not None:
            o.now = self._clock.pointer
        detail = create_string_buffer(512)
        o.detail, o.detail_size = cast(detail, c_char_p), sizeof(detail)
        handle = c_void_p()
        status = lib.kms_open(byref(handle), byref(o))
        check(status, detail.value.decode("utf-8", "replace"))
        assert handle.value is not None
        self._handle = handle.value
        # Also when the program ends: a client without state then gives its seat back.
        self._finalizer = weakref.finalize(self, _close, handle.value, self._clock)

    @contextmanager
    def _using(self) -> Iterator[int]:
        """The C object, for one thread at a time."""
        me = threading.get_ident()
        if self._owner == me:
            raise RuntimeError("the clock of a client cannot call that client")
        with self._lock:
            if self._handle is None:
                raise ValueError("the client is closed")
            self._owner = me
            try:
                yield self._handle
            finally:
                self._owner = 0
            if self._clock is not None:
                self._clock.rethrow()

    def _end(self) -> None:
        """Closes; not while a thread waits for a host, as it waits on a descriptor of this object."""
        with self._lock:
            if self._asking:
                raise RuntimeError("the client is asking a host: cancel that first")
            self._handle = None
        self._finalizer()

    @contextmanager
    def _request(self, begin: Any, *arguments: int) -> Iterator[int]:
        """A request, from its start to its end or to the exception that cancels it."""
        with self._using() as handle:
            descriptor = int(lib.kms_fd(handle))
            if descriptor < 0:
                raise OSError(get_errno(), os.strerror(get_errno()))
            check(begin(handle, *arguments))
            self._asking = True
        try:
            yield descriptor
        finally:
            with self._using() as handle:
                lib.kms_cancel(handle)
                self._asking = False

    def _step(self) -> Optional[Result]:
        """One step of the started request: its result, or None while it is not over."""
        with self._using() as handle:
            raw = struct(_abi.Result)
            status = lib.kms_poll(handle, byref(raw))
        if status == Status.PENDING:
            return None
        result = value_of(Result, raw)
        if status != Status.OK:
            raise error_of(status, result.detail, result)
        return result

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._handle is None

    def status(self) -> StatusInfo:
        """What the product may do, and the texts for its user."""
        with self._using() as handle:
            raw = struct(_abi.StatusInfo)
            status = lib.kms_status(handle, byref(raw))
        info = value_of(StatusInfo, raw)
        if status != Status.OK:
            raise error_of(status, "", info)
        return info

    def verify(self) -> None:
        """Raises an Error if the stored lease is not valid: NO_LEASE, LEASE_EXPIRED, ..."""
        with self._using() as handle:
            status = lib.kms_verify(handle)
        check(status)

    def next(self) -> tuple[Optional[timedelta], Optional[Operation]]:
        """How long to wait before the next request, at most a day, and its operation.

        (None, None) while a request is running.
        """
        with self._using() as handle:
            operation = c_uint()
            wait = lib.kms_next(handle, byref(operation))
        if wait < 0:
            return None, None
        return timedelta(milliseconds=wait), Operation(operation.value)

    def entitlement(self, key: str, default: Optional[str] = None) -> Optional[str]:
        """The value of key in the certificate of the stored lease, or else default."""
        name = _abi.no_nul("key", key).encode()
        with self._using() as handle:
            try:
                value = sized(lambda out, size: int(lib.kms_entitlement(handle, name, out, size)))
            except Exception as failed:
                if getattr(failed, "status", None) == Status.NOT_FOUND:
                    return default
                raise
        return value[:-1].decode("utf-8", "replace")

    def export_lease(self, *, names: bool = True) -> bytes:
        """The stored lease as a file that others can verify; names: whether to include the names."""
        call = lib.kms_lease_export if names else lib.kms_lease_export_unnamed
        with self._using() as handle:
            return sized(lambda out, size: int(call(handle, out, size)))

    def evidence(self) -> list[EvidenceInfo]:
        """The evidence that this client keeps: one for each host with a record that went back."""
        found: list[EvidenceInfo] = []
        with self._using() as handle:
            while True:
                raw = struct(_abi.EvidenceInfo)
                status = lib.kms_evidence(handle, len(found), byref(raw))
                if status == Status.NOT_FOUND:
                    return found
                check(status)
                found.append(value_of(EvidenceInfo, raw))

    def export_evidence(self, index: int) -> bytes:
        """One item of evidence() as a file that others can verify."""
        with self._using() as handle:
            return sized(lambda out, size: int(lib.kms_evidence_export(handle, index, out, size)))

    def discover(self) -> list[tuple[str, int]]:
        """The hosts, as (name, port), in the order in which the client would ask them."""
        room = 4096
        with self._using() as handle:
            while True:
                out = create_string_buffer(room)
                status = lib.kms_discover(handle, out, room)
                if status != Status.TOO_LARGE or room >= _ROOM:
                    break
                room *= 4
        check(status)
        lines = (line.rsplit(" ", 1) for line in out.value.decode("utf-8", "replace").splitlines())
        return [(name, int(port)) for name, port in lines]
