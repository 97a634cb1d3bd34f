"""kms.h for ctypes: its structures, functions and types, and nothing more.

t/languages/header.t compares each of them with what the compiler reads in the headers.
"""

from __future__ import annotations

from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char,
    c_char_p,
    c_int,
    c_size_t,
    c_uint,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
    create_string_buffer,
    sizeof,
)
from typing import Any, AnyStr, Optional
from uuid import UUID

__all__ = ["byref", "c_size_t", "c_uint", "create_string_buffer", "sizeof"]

#: uint64_t (*now)(void *arg)
Now = CFUNCTYPE(c_uint64, c_void_p)

#: KMS_NO_GRACE
NO_GRACE = 0xFFFFFFFF


class Options(Structure):
    """struct kms_options"""

    _fields_ = [
        ("size", c_size_t),
        ("publisher_key", c_char_p),
        ("product", c_char_p),
        ("state_file", c_char_p),
        ("host", c_char_p),
        ("domain", c_char_p),
        ("nameserver", c_char_p),
        ("name", c_char_p),
        ("virtual_machine", c_int),
        ("grace_minutes", c_uint32),
        ("connect_timeout", c_uint32),
        ("reply_timeout", c_uint32),
        ("total_timeout", c_uint32),
        ("now", Now),
        ("now_arg", c_void_p),
        ("detail", c_char_p),
        ("detail_size", c_size_t),
        ("customer", c_char_p),
        ("host_key", c_char_p),
        ("user", c_char_p),
        ("close_timeout", c_uint32),
    ]


class StatusInfo(Structure):
    """struct kms_status_info"""

    _fields_ = [
        ("size", c_size_t),
        ("licence", c_uint),
        ("expires", c_uint64),
        ("renew_after", c_uint64),
        ("next_attempt", c_uint64),
        ("grace_left", c_uint32),
        ("count", c_uint32),
        ("required", c_uint32),
        ("last_status", c_uint32),
        ("last_exchange", c_uint64),
        ("cmid", c_uint8 * 16),
        ("host", c_char * 256),
        ("warning", c_uint32),
        ("customer", c_char * 65),
        ("group", c_char * 33),
        ("borrowed", c_uint32),
    ]


class Result(Structure):
    """struct kms_result"""

    _fields_ = [
        ("size", c_size_t),
        ("status", c_uint32),
        ("count", c_uint32),
        ("required", c_uint32),
        ("retry_after", c_uint32),
        ("host", c_char * 256),
        ("detail", c_char * 256),
        ("warning", c_uint32),
    ]


class LeaseInfo(Structure):
    """struct kms_lease_info"""

    _fields_ = [
        ("size", c_size_t),
        ("cmid", c_uint8 * 16),
        ("product", c_uint8 * 16),
        ("host_id", c_uint8 * 16),
        ("issued", c_uint64),
        ("expires", c_uint64),
        ("renew_after", c_uint64),
        ("batch", c_uint64),
        ("index", c_uint32),
        ("name", c_char * 65),
        ("customer", c_char * 65),
        ("group", c_char * 33),
        ("user", c_char * 65),
        ("names", c_uint32),
        ("host_key", c_uint8 * 16),
        ("header_hash", c_uint8 * 32),
    ]


class EvidenceInfo(Structure):
    """struct kms_evidence_info"""

    _fields_ = [
        ("size", c_size_t),
        ("host_id", c_uint8 * 16),
        ("kind", c_uint32),
        ("verified", c_uint32),
        ("signing_key", c_uint8 * 32),
        ("customer", c_char * 65),
        ("number", c_uint64 * 2),
        ("time", c_uint64 * 2),
        ("hash", c_uint8 * 32 * 2),
        ("header", c_uint8 * 108 * 2),
        ("signature", c_uint8 * 64 * 2),
    ]


class Error(Structure):
    """struct kms_error"""

    _fields_ = [
        ("status", c_uint),
        ("symbol", c_char_p),
        ("microsoft", c_uint32),
        ("meaning", c_char_p),
        ("remedy", c_char_p),
        ("next", c_uint),
        ("user", c_char_p),
        ("user_next", c_char_p),
    ]


_SIZE = POINTER(c_size_t)
_ASKS = (c_int, c_void_p, POINTER(Result))
_EXPORTS = (c_int, c_void_p, c_void_p, _SIZE)

#: Each function: what it returns, then its arguments. A client is a void *.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "kms_open": (c_int, POINTER(c_void_p), POINTER(Options)),
    "kms_close": (None, c_void_p),
    "kms_activate": _ASKS,
    "kms_renew": _ASKS,
    "kms_release": _ASKS,
    "kms_borrow": (c_int, c_void_p, c_uint32, POINTER(Result)),
    "kms_start": (c_int, c_void_p, c_uint),
    "kms_start_borrow": (c_int, c_void_p, c_uint32),
    "kms_poll": _ASKS,
    "kms_fd": (c_int, c_void_p),
    "kms_cancel": (None, c_void_p),
    "kms_next": (c_int, c_void_p, POINTER(c_uint)),
    "kms_status": (c_int, c_void_p, POINTER(StatusInfo)),
    "kms_verify": (c_int, c_void_p),
    "kms_entitlement": (c_int, c_void_p, c_char_p, c_char_p, _SIZE),
    "kms_lease_export": _EXPORTS,
    "kms_lease_export_unnamed": _EXPORTS,
    "kms_lease_verify": (c_int, c_void_p, c_size_t, c_char_p, c_uint64, POINTER(LeaseInfo)),
    "kms_evidence": (c_int, c_void_p, c_uint, POINTER(EvidenceInfo)),
    "kms_evidence_export": (c_int, c_void_p, c_uint, c_void_p, _SIZE),
    "kms_evidence_verify": (c_int, c_void_p, c_size_t, c_char_p, POINTER(EvidenceInfo)),
    "kms_discover": (c_int, c_void_p, c_char_p, c_size_t),
    "kms_version": (c_char_p,),
    "kms_text_status": (c_char_p, c_uint32, c_char_p),
    "kms_text_status_next": (c_char_p, c_uint32, c_char_p),
    "kms_text_licence": (c_char_p, c_uint, c_char_p),
    "kms_text_licence_next": (c_char_p, c_uint, c_char_p),
    "kms_error_find": (POINTER(Error), c_uint32),
    "kms_error_table": (POINTER(Error), POINTER(c_uint)),
    "kms_strerror": (c_char_p, c_uint32),
}


def _load() -> CDLL:
    library = CDLL("libkms.so.1", use_errno=True)
    for name, (returns, *arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = returns
        function.argtypes = arguments
    return library


#: The library: dlopen(3) finds it, as it finds any other.
lib = _load()


def no_nul(option: str, text: AnyStr) -> AnyStr:
    """C would read a text with a NUL in it as a shorter one."""
    if ("\0" if isinstance(text, str) else b"\0") in text:
        raise ValueError(f"{option}: it contains a NUL character")
    return text


def text_or_null(option: str, value: Optional[object]) -> Optional[bytes]:
    """A text for C. None is NULL; a UUID is its text."""
    if value is None:
        return None
    if not isinstance(value, (str, UUID)):
        raise TypeError(f"{option}: it needs a str, and is of type {type(value).__name__}")
    return no_nul(option, str(value)).encode()
