"""The numbers of kms.h and kms_error.h, and the texts that libkms has for them.

t/languages/header.t compares them with the headers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Optional, TypeVar

from . import _abi

#: The port of a KMS host, if no other port is given.
PORT = 1688

_Number = TypeVar("_Number", bound=IntEnum)


def _newer(cls: type[_Number], value: object) -> Optional[_Number]:
    """A number that only a newer libkms knows is one nevertheless, and no failure."""
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        return None
    member = int.__new__(cls, value)
    member._name_ = f"UNKNOWN_{value}"
    member._value_ = value
    return member


def _text(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _language(language: Optional[str]) -> Optional[bytes]:
    return None if language is None else _abi.no_nul("language", language).encode()


class NextStep(IntEnum):
    """What a client does after an answer with a status."""

    FINAL = 0  #: ask again at the usual time; another host would give the same answer
    HOST = 1  #: ask the next host; if there is none, ask later
    SAME = 2  #: ask the same host once more, at once; after that, the next one
    LATER = 3  #: ask again after the time that the host gave, else after the activation interval


class Status(IntEnum):
    """The answer of a call or of a host. Numbers below 256 come from a host."""

    OK = 0
    COUNT_TOO_LOW = 1
    NOT_ENABLED = 2
    NOT_CONFIRMED = 3
    NOT_COVERED = 4
    UNKNOWN_PRODUCT = 5
    KEY_INVALID = 6
    KEY_EXPIRED = 7
    VM_REFUSED = 8
    TIME_SKEW = 9
    CAPACITY = 10
    CLONE = 11
    SEQUENCE = 12
    REVOKED = 13
    OVERLOAD = 14
    LEDGER = 15
    UNKNOWN_HOST = 16
    BAD_VERSION = 17
    BAD_FRAME = 18
    BAD_SEAL = 19
    BAD_REQUEST = 20
    UNKNOWN_CLIENT = 21
    TOO_LARGE = 22
    LOCKED = 23
    UNKNOWN_KEY = 24
    TOO_SOON = 25
    BINDING = 26
    NOT_OFFERED = 27
    CLASS_FULL = 28
    RECLAIMED = 29
    DOWNGRADE = 30
    ALONE = 31
    STATELESS = 32
    BORROW = 33
    BORROWED_OUT = 34
    LOCAL = 256
    NO_HOST = 257
    TIMEOUT = 258
    IO = 259
    NO_MEMORY = 260
    TRUNCATED = 261
    TRAILING = 262
    FORMAT = 263
    ARGUMENT = 264
    STATE = 265
    SIGNATURE = 266
    PUBLISHER = 267
    PROOF = 268
    LEASE_EXPIRED = 269
    LEASE_OTHER = 270
    CLOCK_BACK = 271
    NO_LEASE = 272
    CHAIN = 273
    TORN = 274
    ALTERED = 275
    MISSING = 276
    FULL = 277
    SCHEMA = 278
    NOT_FOUND = 279
    EXISTS = 280
    CONFIG = 281
    PREREQUISITE = 282
    OLDER = 283
    DENIED = 284
    PEER = 285
    SANDBOX = 286
    NOT_RUNNING = 287
    LIMIT = 288
    PASSPHRASE = 289
    HISTORY = 290
    NOT_PROVED = 291
    PINNED = 292
    INDEX = 293
    PENDING = 294

    @classmethod
    def _missing_(cls, value: object) -> Optional[Status]:
        return _newer(cls, value)

    def _row(self) -> _abi.Error:
        row: _abi.Error = _abi.lib.kms_error_find(self.value).contents
        return row

    @property
    def symbol(self) -> str:
        """ "KMS_E_COUNT_TOO_LOW", as in kms_error.h and in logs."""
        return _text(self._row().symbol)

    @property
    def meaning(self) -> str:
        """For an administrator and a log, in English: one clause."""
        return _text(_abi.lib.kms_strerror(self.value))

    @property
    def remedy(self) -> str:
        """For an administrator, in English: what to do next, one sentence."""
        return _text(self._row().remedy)

    @property
    def microsoft(self) -> int:
        """Microsoft's documented code of the same meaning, or 0."""
        return int(self._row().microsoft)

    @property
    def next_step(self) -> NextStep:
        """What a client does after this answer."""
        return NextStep(self._row().next)

    def text(self, language: Optional[str] = None) -> str:
        """For the person at the screen: the state, a clause without a full stop.

        language is "en", "de" or the name of a locale; None is what locale.setlocale() set.
        """
        return _text(_abi.lib.kms_text_status(self.value, _language(language)))

    def text_next(self, language: Optional[str] = None) -> str:
        """For the person at the screen: what to do next, a sentence."""
        return _text(_abi.lib.kms_text_status_next(self.value, _language(language)))


class Licence(IntEnum):
    """The state of the licence: whether the product may run, and the texts for its user."""

    UNLICENSED = 0  #: never activated, and grace is over
    GRACE = 1  #: never activated, grace left
    ACTIVATED = 2
    RENEWAL_DUE = 3  #: activated; time to renew
    EXPIRED = 4  #: the lease has expired
    CLOCK_BACK = 5  #: the clock is behind the latest time seen

    @classmethod
    def _missing_(cls, value: object) -> Optional[Licence]:
        return _newer(cls, value)

    @property
    def may_run(self) -> bool:
        """Whether the product may run: in its grace, or with a valid lease."""
        return self in (Licence.GRACE, Licence.ACTIVATED, Licence.RENEWAL_DUE)

    def text(self, language: Optional[str] = None) -> str:
        """For the person at the screen: the state, a clause without a full stop."""
        return _text(_abi.lib.kms_text_licence(self.value, _language(language)))

    def text_next(self, language: Optional[str] = None) -> str:
        """For the person at the screen: what to do next, a sentence."""
        return _text(_abi.lib.kms_text_licence_next(self.value, _language(language)))


class VirtualMachine(IntEnum):
    """Whether a client says that it is in a virtual machine. DETECT finds out."""

    DETECT = 0
    YES = 1
    NO = 2


class Operation(IntEnum):
    """The operation that a client asks a host for."""

    ACTIVATE = 1
    RENEW = 2
    RELEASE = 3


class Names(IntEnum):
    """The names beside a lease, compared with those that the host signed."""

    NONE = 0  #: erased, or left out: name and user are empty
    MATCH = 1  #: these are the names that the host signed
    DIFFER = 2  #: other names than the host signed; the lease itself is still proved

    @classmethod
    def _missing_(cls, value: object) -> Optional[Names]:
        return _newer(cls, value)


class EvidenceKind(IntEnum):
    """How two batch headers of one host contradict each other."""

    CONTRADICTION = 1  #: two headers with one number: no honest record has both
    WENT_BACK = 2  #: the second header has a lower number; an honest restore causes this, too

    @classmethod
    def _missing_(cls, value: object) -> Optional[EvidenceKind]:
        return _newer(cls, value)


def known_statuses() -> list[Status]:
    """Every status that the installed libkms has a text for, in order."""
    count = _abi.c_uint()
    rows = _abi.lib.kms_error_table(_abi.byref(count))
    return [Status(rows[i].status) for i in range(count.value)]
