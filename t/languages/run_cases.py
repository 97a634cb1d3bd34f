#!/usr/bin/python3
"""run_cases.py - the Python package, told what to do: what run_cases.c is for C.

run_cases.py block|steps    a Client, or an AsyncClient in asyncio
"""

import asyncio
import dataclasses
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from uuid import UUID

import kms

UNITS = {"grace_left": timedelta(minutes=1), "retry_after": timedelta(seconds=1)}


class Runner:
    def __init__(self, in_steps):
        self.in_steps = in_steps
        self.ahead = 0
        self.clients = {}
        self.files = {}

    def client(self, step):
        return self.clients[step.get("client", 0)]

    def open(self, step):
        options = dict(step["options"])
        for name, unit in (("reply_timeout", timedelta(milliseconds=1)), ("grace_minutes", timedelta(minutes=1))):
            if name in options:
                count = options.pop(name)
                options[name.removesuffix("_minutes")] = kms.NO_GRACE if count == 0xFFFFFFFF else count * unit
        if "virtual_machine" in options:
            options["virtual_machine"] = kms.VirtualMachine(options["virtual_machine"])
        cls = kms.AsyncClient if self.in_steps else kms.Client
        options.setdefault("publisher_key", None)
        options.setdefault("product", None)
        self.clients[step.get("client", 0)] = cls(**options, now=lambda: time.time() + self.ahead)
        return {"detail": ""}

    async def close(self, step):
        client = self.clients.pop(step.get("client", 0))
        if self.in_steps:
            await client.close()
        else:
            client.close()
        return {}

    async def ask(self, step):
        client = self.client(step)
        if step.get("minutes"):
            answer = client.borrow(timedelta(minutes=step["minutes"]))
        else:
            answer = client.ask(kms.Operation(step["operation"]))
        return plain(await answer if self.in_steps else answer)

    def status(self, step):
        return plain(self.client(step).status())

    def verify(self, step):
        self.client(step).verify()
        return {}

    def next(self, step):
        wait, operation = self.client(step).next()
        return {"wait": wait // timedelta(milliseconds=1), "operation": int(operation)}

    def entitlement(self, step):
        value = self.client(step).entitlement(step["key"])
        return {"value": value} if value is not None else {"value": "", "status": "KMS_E_NOT_FOUND"}

    def export(self, step):
        self.files.pop(step.get("file", 0), None)
        self.files[step.get("file", 0)] = self.client(step).export_lease(names=step.get("names", False))
        return {}

    def lease(self, step):
        file = self.files.get(step.get("file", 0), b"")
        after = step.get("after", 0)
        now = datetime.now(timezone.utc) + timedelta(seconds=after) if after else None
        return plain(kms.verify_lease(file[: max(0, len(file) - step.get("cut", 0))], step["publisher_key"], now))

    def evidence(self, step):
        return {"found": len(self.client(step).evidence())}

    def discover(self, step):
        return {"hosts": "".join(f"{name} {port}\n" for name, port in self.client(step).discover())}

    def clock(self, step):
        self.ahead = step["ahead"]
        return {}

    def texts(self, step):
        status = kms.Status(step["number"])
        language = step.get("language")
        names = {"symbol": status.symbol, "microsoft": status.microsoft, "meaning": status.meaning, "remedy": status.remedy}
        return names | {"next": int(status.next_step), "text": status.text(language), "text_next": status.text_next(language)}

    def licence_texts(self, step):
        licence = kms.Licence(step["number"])
        return {"text": licence.text(step.get("language")), "text_next": licence.text_next(step.get("language"))}

    async def answer(self, step):
        method = getattr(self, step["do"].replace(" ", "_"))
        try:
            answer = method(step)
            if asyncio.iscoroutine(answer):
                answer = await answer
        except kms.Error as error:
            answer = plain(error.value) if error.value is not None else {"value": ""} if step["do"] == "entitlement" else {}
            if step["do"] in ("open", "discover"):
                answer |= {"detail": error.detail} if step["do"] == "open" else {"hosts": ""}
            answer["status"] = error.status.symbol
        answer.setdefault("status", "KMS_OK")
        return answer


def plain(value):
    """A dataclass of the package with the numbers of kms.h."""
    answer = {}
    for field in dataclasses.fields(value):
        one = getattr(value, field.name)
        if field.name == "status":
            continue
        if field.name in UNITS:
            one = 0 if one is None else one // UNITS[field.name]
        elif isinstance(one, kms.Status):
            one = one.symbol
        elif isinstance(one, (IntEnum, bool)):
            one = int(one)
        elif one is None:
            one = 0
        elif isinstance(one, datetime):
            one = int(one.timestamp())
        elif isinstance(one, UUID):
            one = one.hex
        elif isinstance(one, bytes):
            one = one.hex()
        answer[field.name] = one
    return answer


async def main():
    runner = Runner(sys.argv[1] == "steps")
    for line in sys.stdin:
        answer = await runner.answer(json.loads(line))
        print(json.dumps(answer, sort_keys=True, separators=(",", ":"), ensure_ascii=False), flush=True)
    for client in list(runner.clients):
        await runner.close({"client": client})


asyncio.run(main())
