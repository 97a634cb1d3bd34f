"""What libkms answers, as Python's own types, and what it raises.

The fields have the names of kms(3). A time is an aware datetime in UTC, a length of time is a
timedelta, an id is a UUID; None is no time.
"""

from __future__ import annotations

from ctypes import Structure
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Optional, TypeVar, Union
from uuid import UUID

from ._numbers import EvidenceKind, Licence, Names, Status

_LAST = datetime.max.replace(microsecond=0, tzinfo=timezone.utc)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class StatusInfo:
    """What the product may do, as Client.status() says."""

    licence: Licence
    expires: Optional[datetime]  #: None without a lease
    renew_after: Optional[datetime]  #: None without a lease
    next_attempt: Optional[datetime]  #: when to activate or renew next
    grace_left: timedelta
    count: int  #: as the host last said
    required: int
    last_status: Status  #: of the last attempt
    last_exchange: Optional[datetime]  #: None: never
    cmid: UUID  #: the client's id
    host: str  #: that answered last, "" without
    warning: Status  #: OK, or HISTORY as long as there is evidence: no failure
    customer: str  #: of the stored lease; "" without a lease
    group: str
    borrowed: bool  #: the stored lease is of a borrowed seat, until expires


@dataclass(frozen=True)
class Result:
    """What happened while a host was asked."""

    status: Status
    count: int
    required: int
    retry_after: Optional[timedelta]  #: None: not told
    host: str  #: "address port N" that answered or was tried last
    detail: str  #: one line for a log
    warning: Status  #: OK, or HISTORY: the host's record went back, and the lease is good


@dataclass(frozen=True)
class LeaseInfo:
    """What a lease file proves."""

    cmid: UUID
    product: UUID
    host_id: UUID
    issued: Optional[datetime]
    expires: Optional[datetime]
    renew_after: Optional[datetime]
    batch: int  #: number of the batch of the host's record that contains the lease
    index: int
    name: str
    customer: str
    group: str
    user: str
    names: Names  #: of name and user
    host_key: UUID
    header_hash: bytes  #: SHA-256 of the header of that batch


@dataclass(frozen=True)
class EvidenceInfo:
    """Two batch headers that one host signed, and that do not fit together."""

    host_id: UUID
    kind: EvidenceKind
    verified: bool  #: False: no certificate of this host is kept; the next two are empty
    signing_key: bytes
    customer: str
    number: tuple[int, int]
    time: tuple[Optional[datetime], Optional[datetime]]
    hash: tuple[bytes, bytes]
    header: tuple[bytes, bytes]
    signature: tuple[bytes, bytes]


Value = Union[StatusInfo, Result, LeaseInfo, EvidenceInfo]
_V = TypeVar("_V", StatusInfo, Result, LeaseInfo, EvidenceInfo)


def time_of(seconds: int) -> Optional[datetime]:
    """Of any 64-bit number that somebody signed: what is after year 9999 is its last second."""
    if seconds == 0:
        return None
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST


def _uuid(raw: Any) -> UUID:
    return UUID(bytes=bytes(raw))


def _seconds(raw: int) -> Optional[timedelta]:
    return timedelta(seconds=raw) if raw else None


def _pair(raw: Any) -> tuple[Any, ...]:
    return tuple(one if isinstance(one, int) else bytes(one) for one in raw)


#: How a field is converted; the others are text, or numbers as they are.
_CONVERT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("expires", "renew_after", "next_attempt", "last_exchange", "issued"), time_of),
    **dict.fromkeys(("cmid", "product", "host_id", "host_key"), _uuid),
    **dict.fromkeys(("status", "last_status", "warning"), Status),
    **dict.fromkeys(("borrowed", "verified"), bool),
    **dict.fromkeys(("header_hash", "signing_key"), bytes),
    **dict.fromkeys(("number", "hash", "header", "signature"), _pair),
    "grace_left": lambda minutes: timedelta(minutes=minutes),
    "retry_after": _seconds,
    "licence": Licence,
    "names": Names,
    "kind": EvidenceKind,
    "time": lambda pair: tuple(map(time_of, pair)),
}


def value_of(cls: type[_V], raw: Structure) -> _V:
    """The dataclass of one of libkms's structures."""
    values = {}
    for field in fields(cls):
        value = getattr(raw, field.name)
        if field.name in _CONVERT:
            value = _CONVERT[field.name](value)
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        values[field.name] = value
    return cls(**values)


class Error(Exception):
    """What libkms answers in place of KMS_OK.

    status  its number, with texts for users
    detail  what happened here, one line for a log; it may be empty
    value   what the call filled in nevertheless: a Result, a LeaseInfo, ..., or None
    """

    def __init__(self, status: Status, detail: str = "", value: Optional[Value] = None) -> None:
        super().__init__(status, detail, value)
        self.status = status
        self.detail = detail
        self.value = value

    @property
    def remedy(self) -> str:
        """What an administrator does next, one sentence."""
        return self.status.remedy

    def __str__(self) -> str:
        said = f"{self.detail or self.status.meaning} ({self.status.symbol})"
        # A detail about an option ends with what it needs.
        if self.detail and self.status in (Status.ARGUMENT, Status.FORMAT):
            return said
        return f"{said}. {self.remedy}"


class Refused(Error):
    """A host answered, and its answer is no lease. COUNT_TOO_LOW: it has counted this client."""


class Unreachable(Error):
    """No host was found, or none answered. A lease that was valid is valid still."""


def error_of(status: int, detail: str = "", value: Optional[Value] = None) -> Error:
    """The exception for a status."""
    known = Status(status)
    if known in (Status.NO_HOST, Status.TIMEOUT):
        return Unreachable(known, detail, value)
    # A host's statuses are also those of files and calls; only a host's answer has a Result.
    if known < Status.LOCAL and isinstance(value, Result):
        return Refused(known, detail, value)
    return Error(known, detail, value)
