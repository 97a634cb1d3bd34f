"""What a host dropped: RETENTION of kms.journal(5), and the finding `dropped` of kms.audit(5)."""

from kms_wire import ed25519_ok

HEAD, KEPT, END = 1, 2, 7
WITNESS = 28
CLOCK_NOTE = 60


class Bases:
    """The last base whose HEAD and END are in the file."""

    def __init__(self, signing):
        self.signing = signing
        self.begun = self.whole = None
        self.earliest = None

    def batch(self, header):
        if self.begun or self.whole:
            self.earliest = min(self.earliest, header.time)

    def entry(self, header, e, read_entry):
        blob = e.blob
        if blob[0] == HEAD:
            self.begun = {"batch": header.number, "at": e.time, "through": number(blob[2:10]), "hash": blob[10:42],
                          "time": number(blob[42:50]), "witnesses": 0}
            self.earliest = e.time
        elif blob[0] == KEPT and self.begun:
            self.begun["witnesses"] += self.is_witness(read_entry(blob[26:]))
        elif blob[0] == END:
            if self.begun and self.begun["through"] == number(blob[2:10]):
                self.whole = self.begun
            self.begun = None

    def is_witness(self, e):
        return e.kind == WITNESS and ed25519_ok(self.signing, e.blob[108:], e.blob[:108])

    def settle(self, findings, first, least):
        """True: the beginning of the file is accepted."""
        w = self.whole
        if not w:
            return False
        after = first.number - w["through"] - 1
        if after == 0 and first.before != w["hash"]:
            findings.add("contradiction", "dropped", w["batch"])
            return False
        kept = max(0, min(w["at"], self.earliest + CLOCK_NOTE) - w["time"])
        findings.add("unexplained" if kept < least else "note", "dropped", w["batch"])
        findings.add("unexplained", "dropped", w["batch"], w["witnesses"])
        return kept >= least and after <= 0


def number(octets):
    return int.from_bytes(octets, "big")
