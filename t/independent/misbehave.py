#!/usr/bin/python3
"""The independent client, misbehaving on purpose.  `misbehave.py HOW ...` takes the options and
commands of kms_client.py and
  bad-tag        alters the last octet of every REQUEST,
  bad-text       alters an octet of the ciphertext,
  wrong-host     seals every REQUEST for a host id that is not the host's,
  stale-host     does so in its first REQUEST only, as with a certificate that is out of date,
  lose-answer    ends as if the machine had failed between the reply and its own disk,
  low-sequence   goes back to sequence number 1, as a restored backup does."""

import sys

sys.dont_write_bytecode = True
import kms_client  # noqa: E402
import kms_wire as k  # noqa: E402

how = sys.argv[1]


class Misbehaving(kms_client.Client):
    asked = 0

    def begin(self, operation):
        if how == "low-sequence":
            self.state.sequence, self.state.pending = 0, None
        super().begin(operation)

    def frame_for(self, exchange, keys, p, tail=b""):
        self.asked += 1
        if how == "wrong-host" or how == "stale-host" and self.asked == 1:
            exchange = exchange._replace(host_id=bytes(16))
        octets = super().frame_for(exchange, keys, p, tail)
        at = {"bad-tag": len(octets) - 1, "bad-text": 12 + 80 + 1}.get(how)
        if at is None:
            return octets
        return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]

    def conclude(self, operation, answer):
        if how == "lose-answer":
            return
        super().conclude(operation, answer)


try:
    sys.exit(kms_client.run(kms_client.arguments(sys.argv[2:]), Misbehaving))
except k.KmsError as bad:
    print(f"status: {bad.name}\nwhy: {bad.why}")
    sys.exit(4)
