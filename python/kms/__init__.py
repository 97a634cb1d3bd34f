"""Activate a product against a KMS host, and verify its lease offline: libkms for Python.

    import kms

    with kms.Client(PUBLISHER_KEY, PRODUCT, "/var/lib/product/kms.state") as client:
        wait, operation = client.next()
        if not wait:
            try:
                client.ask(operation)
            except kms.Error as error:
                log.warning("%s", error)            # what happened, and what an administrator does
        licence = client.status().licence
        print(licence.text("en"), licence.text_next("en"), sep=". ")
        if not licence.may_run:
            sys.exit(1)

It is a thin layer: it has the names, fields and rules of kms(3), which explains them. An outage
never makes a valid lease invalid: an Error says what happened, and status() says what the product
may do. AsyncClient does the same in asyncio. Times are datetimes in UTC, durations are timedeltas,
and ids are UUIDs.

There are two kinds of texts. str(error), Status.meaning and Status.remedy are for a log and an
administrator. text() and text_next() of a Status or a Licence are for the person at the screen,
in the language of locale.setlocale() or of their argument.

The package needs libkms.so.1 of the same or a newer version.
"""

from __future__ import annotations

from ctypes import byref as _byref
from datetime import datetime as _datetime
from typing import Optional as _Optional

from . import _abi
from ._client import AsyncClient, Client
from ._numbers import (
    PORT,
    EvidenceKind,
    Licence,
    Names,
    NextStep,
    Operation,
    Status,
    VirtualMachine,
    known_statuses,
)
from ._object import NO_GRACE
from ._object import check as _check
from ._object import struct as _struct
from ._values import Error, EvidenceInfo, LeaseInfo, Refused, Result, StatusInfo, Unreachable
from ._values import error_of as _error_of
from ._values import value_of as _value_of

__all__ = [
    "NO_GRACE",
    "PORT",
    "AsyncClient",
    "Client",
    "Error",
    "EvidenceInfo",
    "EvidenceKind",
    "LeaseInfo",
    "Licence",
    "Names",
    "NextStep",
    "Operation",
    "Refused",
    "Result",
    "Status",
    "StatusInfo",
    "Unreachable",
    "VirtualMachine",
    "known_statuses",
    "verify_evidence",
    "verify_lease",
    "version",
]


def version() -> str:
    """The version of the installed libkms."""
    text: bytes = _abi.lib.kms_version()
    return text.decode()


def verify_lease(file: bytes, publisher_key: str, now: _Optional[_datetime] = None) -> LeaseInfo:
    """Verifies a lease file at the time now, with only the publisher's public key.

    now is an aware datetime. With None, the end of the lease is not checked. If the lease has
    expired, the Error with LEASE_EXPIRED has the LeaseInfo as its value.
    """
    if now is not None and now.tzinfo is None:
        raise ValueError("now: it has no time zone")
    key = _abi.no_nul("publisher_key", publisher_key).encode()
    raw = _struct(_abi.LeaseInfo)
    at = 0 if now is None else max(1, int(now.timestamp()))
    status = _abi.lib.kms_lease_verify(file, len(file), key, at, _byref(raw))
    if status == Status.LEASE_EXPIRED:
        raise _error_of(status, "", _value_of(LeaseInfo, raw))
    _check(status)
    return _value_of(LeaseInfo, raw)


def verify_evidence(file: bytes, publisher_key: str) -> EvidenceInfo:
    """Verifies an evidence file with only the publisher's public key."""
    key = _abi.no_nul("publisher_key", publisher_key).encode()
    raw = _struct(_abi.EvidenceInfo)
    _check(_abi.lib.kms_evidence_verify(file, len(file), key, _byref(raw)))
    return _value_of(EvidenceInfo, raw)
