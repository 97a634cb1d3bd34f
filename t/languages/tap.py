"""tap.py - TAP for the tests of the Python package, on the package of the tree and the library of the build.

A test imports it before kms: the process begins again with the library's directory, since the loader looks for it at its start.
"""

import os
import re
import subprocess
import sys

SRC = os.path.abspath(os.environ.get("KMS_SRC", "."))
BUILD = os.path.abspath(os.environ.get("KMS_BUILD", "build"))


def environment():
    """What a Python program needs to find both."""
    env = dict(os.environ, LD_LIBRARY_PATH=f"{BUILD}/.libs", PYTHONPATH=f"{SRC}/python", PYTHONDONTWRITEBYTECODE="1")
    with open(f"{BUILD}/config.h") as config:
        sanitized = re.search(r"define KMS_SANITIZED 1", config.read())
    if sanitized:
        env["LD_PRELOAD"] = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
        # Python itself does not free what it has to its end.
        env["ASAN_OPTIONS"] = "detect_leaks=0"
    return env


if "KMS_TAP_BEGUN" not in os.environ:
    _begun = dict(environment(), KMS_TAP_BEGUN="1")
    if __name__ != "__main__":
        for _name in ("KMS_HOST", "KMS_DOMAIN", "LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
            _begun.pop(_name, None)
    os.execve(sys.executable, [sys.executable, *sys.argv], _begun)

_count = 0
_failed = 0


def ok(good, name):
    global _count, _failed
    _count += 1
    _failed += not good
    print(f"{'ok' if good else 'not ok'} {_count} - {name}", flush=True)
    return good


def equal(got, expected, name):
    if not ok(got == expected, name):
        print(f"#      got: {got!r}\n# expected: {expected!r}", file=sys.stderr, flush=True)


def raises(kind, call, name, **attributes):
    """The call raises this kind of exception with these attributes; returns it."""
    try:
        answer = call()
    except kind as error:
        equal({key: getattr(error, key, None) for key in attributes}, attributes, name)
        return error
    except Exception as error:  # pylint: disable=broad-except
        equal(repr(error), kind.__name__, name)
        return error
    equal(f"returned {answer!r}", kind.__name__, name)
    return None


def done():
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)


if __name__ == "__main__":
    # tap.py PROGRAM ARGUMENT...: another program, with the same package and library.
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
