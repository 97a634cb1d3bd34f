#!/usr/bin/python3
"""notes.py - Example Notes, a small product in Python. notes.c is the same in C.

    notes.py FOLDER           shows the notes in this folder
    notes.py FOLDER NOTE      writes one more, which needs a licence
"""

import locale
import sys
from pathlib import Path

import kms

PUBLISHER_KEY = "RW... (the second line of publisher.pub)"
PRODUCT = "the UUID of the product, as in the policy pack"


def licensed(state: Path) -> bool:
    """Whether the product may run. Asks a host when it is time, and tells the user the result."""
    edition = "Standard"
    with kms.Client(PUBLISHER_KEY, PRODUCT, state) as client:
        wait, operation = client.next()
        try:
            if not wait and operation:
                client.ask(operation)
        except kms.Error as error:  # for a log; a lease that was valid is valid still
            print(f"notes: {error}", file=sys.stderr)
        try:
            edition = client.entitlement("edition") or edition
        except kms.Error:  # no lease, nothing bought
            pass
        licence = client.status().licence
    print(f"Example Notes, {edition}: {licence.text()}. {licence.text_next()}")
    return licence.may_run


def main() -> int:
    locale.setlocale(locale.LC_ALL, "")  # the language of text()
    if len(sys.argv) not in (2, 3):
        print("usage: notes.py FOLDER [NOTE]", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    notes = folder / "notes.txt"
    try:
        may_write = licensed(folder / "kms.state")
    except kms.Error as error:
        print(f"notes: {error}", file=sys.stderr)
        may_write = False
    if may_write and len(sys.argv) == 3:
        with notes.open("a") as file:
            file.write(f"{sys.argv[2]}\n")
    if notes.exists():
        print(notes.read_text(), end="")
    return int(len(sys.argv) == 3 and not may_write)


if __name__ == "__main__":
    sys.exit(main())
