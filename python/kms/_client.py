"""Client and AsyncClient: the requests, with and without blocking."""

from __future__ import annotations

import asyncio
import select
from datetime import timedelta
from types import TracebackType
from typing import Optional, Type

from ._abi import lib
from ._numbers import Operation
from ._object import Object, length
from ._values import Result

_MINUTE = timedelta(minutes=1)


class Client(Object):
    """A client with requests that block. Ctrl-C interrupts a request, and cancels it.

    with kms.Client("RW...", "6f1d2c3b-...", "/var/lib/product/kms.state") as client:
        client.activate()
        print(client.status().licence.text("en"))
    """

    def close(self) -> None:
        """Ends the client. A client without state gives its seat back, within close_timeout."""
        self._end()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _ask(self, begin: object, *arguments: int) -> Result:
        with self._request(begin, *arguments) as descriptor:
            # Not kms_activate: in it, Python would hear of no signal for half a minute.
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            while (result := self._step()) is None:
                poll.poll()
        return result

    def ask(self, operation: Operation) -> Result:
        """Asks a host for the operation from next(). Raises Refused, Unreachable or another Error."""
        return self._ask(lib.kms_start, Operation(operation))

    def activate(self) -> Result:
        """Asks for a first lease."""
        return self.ask(Operation.ACTIVATE)

    def renew(self) -> Result:
        """Asks for the next lease."""
        return self.ask(Operation.RENEW)

    def release(self) -> Result:
        """Gives the seat back, and deletes the lease when the host has agreed."""
        return self.ask(Operation.RELEASE)

    def borrow(self, time: timedelta) -> Result:
        """Asks for a lease that lasts for this time without a host, in whole minutes."""
        return self._ask(lib.kms_start_borrow, length("time", time, _MINUTE))


class AsyncClient(Object):
    """A client for asyncio: await its requests. All other methods are as in Client, without await.

    async with kms.AsyncClient("RW...", "6f1d2c3b-...", "/var/lib/product/kms.state") as client:
        await client.activate()

    If its task is cancelled, a request is given up, as if no host had answered.
    """

    _task: Optional[asyncio.Task[Result]] = None

    async def close(self) -> None:
        """Gives up a running request and ends the client. A client without state gives its seat back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        # It waits for the host of a client without state, so not in the loop.
        await asyncio.get_running_loop().run_in_executor(None, self._end)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def _run(self, begin: object, *arguments: int) -> Result:
        loop = asyncio.get_running_loop()
        with self._request(begin, *arguments) as descriptor:
            readable = asyncio.Event()
            loop.add_reader(descriptor, readable.set)
            try:
                while (result := self._step()) is None:
                    readable.clear()
                    await readable.wait()
            finally:
                loop.remove_reader(descriptor)
        return result

    async def _ask(self, begin: object, *arguments: int) -> Result:
        """In a separate task, so that close() can cancel it without cancelling the caller."""
        task = asyncio.ensure_future(self._run(begin, *arguments))
        if self._task is None:
            self._task = task
        try:
            return await task
        finally:
            if self._task is task:
                self._task = None

    async def ask(self, operation: Operation) -> Result:
        """Asks a host for the operation from next(). Raises Refused, Unreachable or another Error."""
        return await self._ask(lib.kms_start, Operation(operation))

    async def activate(self) -> Result:
        """Asks for a first lease."""
        return await self.ask(Operation.ACTIVATE)

    async def renew(self) -> Result:
        """Asks for the next lease."""
        return await self.ask(Operation.RENEW)

    async def release(self) -> Result:
        """Gives the seat back, and deletes the lease when the host has agreed."""
        return await self.ask(Operation.RELEASE)

    async def borrow(self, time: timedelta) -> Result:
        """Asks for a lease that lasts for this time without a host, in whole minutes."""
        return await self._ask(lib.kms_start_borrow, length("time", time, _MINUTE))
