"""The answers of libkms as Python types, and the exceptions.

The fields have the names of kms(3). A time is an aware datetime in UTC, a duration is a
timedelta, an id is a UUID; None means no time.
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
    """What the product may do, from Client.status()."""

    licence: Licence
    expires: Optional[datetime]  #: None without a lease
    renew_after: Optional[datetime]  #: None without a lease
    next_attempt: Optional[datetime]  #: when to activate or renew next
    grace_left: timedelta
    count: int  #: from the last answer of a host
    required: int
    last_status: Status  #: status of the last attempt
    last_exchange: Optional[datetime]  #: None: never
    cmid: UUID  #: the client's id
    host: str  #: the host that answered last, or ""
    warning: Status  #: OK, or HISTORY as long as there is evidence; not a failure
    customer: str  #: of the stored lease; "" without a lease
    group: str
    borrowed: bool  #: whether the stored lease is for a borrowed seat, until expires


@dataclass(frozen=True)
class Result:
    """The result of a request to a host."""

    status: Status
    count: int
    required: int
    retry_after: Optional[timedelta]  #: None: not told
    host: str  #: "address port N" that answered or was tried last
    detail: str  #: one line for a log
    warning: Status  #: OK, or HISTORY: the host's record went back, but the lease is valid


@dataclass(frozen=True)
class LeaseInfo:
    """The contents of a lease file, as it proves them."""

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
    """Two batch headers that one host signed, and that contradict each other."""

    host_id: UUID
    kind: EvidenceKind
    verified: bool  #: False: the client has no certificate of this host; the next two are empty
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
    """The time of any signed 64-bit number; a time after the year 9999 becomes its last second."""
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
    """Raised when libkms does not answer KMS_OK.

    status  its number, with texts for users
    detail  what happened here, one line for a log; it may be empty
    value   the structure that the call still filled in: a Result, a LeaseInfo, ..., or None
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
    """A host answered, but gave no lease. COUNT_TOO_LOW: the host has counted this client."""


class Unreachable(Error):
    """No host was found, or no host answered. A valid lease stays valid."""


def error_of(status: int, detail: str = "", value: Optional[Value] = None) -> Error:
    """The exception for a status."""
    known = Status(status)
    if known in (Status.NO_HOST, Status.TIMEOUT):
        return Unreachable(known, detail, value)
    # A host's statuses are also those of files and calls; only a host's answer has a Result.
    if known < Status.LOCAL and isinstance(value, Result):
        return Refused(known, detail, value)
    return Error(known, detail, value)
