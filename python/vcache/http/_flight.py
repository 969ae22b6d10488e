"""One response under way, which other requests wait for, and the way to its client."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum

from ._asgi import Headers, Message, Receive, Send
from ._response import Response

__all__ = ["Flight", "Next", "Outbox"]


class Next(Enum):
    """What is left to a request whose wait brought no response."""

    AGAIN = 1  # to look for one anew
    ALONE = 2  # to ask the application


class Flight:
    """A call of the application whose response may serve others. Of one event loop.

    request: the headers of the request that the application was called for.
    """

    __slots__ = ("_future", "_request", "_vary", "_waiting")

    def __init__(self, request: Headers) -> None:
        loop = asyncio.get_running_loop()
        self._future: asyncio.Future[Response | None] = loop.create_future()
        self._request = request
        self._vary: list[bytes] = []
        self._waiting = 0

    def end(self, response: Response | None, vary: list[bytes]) -> None:
        """Hands the response, which varies by these headers, to all who wait.

        None: it is not for them. The first call counts.
        """
        if not self._future.done():
            self._vary = vary
            self._future.set_result(response)

    def abandon(self) -> None:
        """Has those who wait begin anew, unless it has ended."""
        self._future.cancel()

    async def join(self, request: Headers, seconds: float) -> Response | Next:
        """The response to a request with these headers, if it is there within that time."""
        self._waiting += 1
        try:
            await asyncio.wait([self._future], timeout=seconds)
        finally:
            self._waiting -= 1
        if self._future.cancelled():
            return Next.AGAIN
        response = self._future.result() if self._future.done() else None
        if response is None:
            return Next.ALONE
        is_same = all(request.get(name) == self._request.get(name) for name in self._vary)
        return response if is_same else Next.AGAIN

    def shielded(self, receive: Receive) -> Receive:
        """`receive` that keeps quiet of a client who left while others wait."""

        async def receive_shielded() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and self._waiting:
                await asyncio.wait([self._future])
            return message

        return receive_shielded


class Outbox:
    """Hands messages to a client in their order, however slowly he takes them."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: deque[Message] = deque()
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    async def put(self, message: Message) -> None:
        """Does not wait for the client."""
        if self._error is None:
            self._messages.append(message)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._hand_over())
            await asyncio.sleep(0)

    async def emptied(self) -> None:
        """Waits for the client. Raises what the sending to him raised."""
        if self._task is not None:
            await self._task
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """What is left is not sent."""
        if self._task is not None:
            self._task.cancel()

    async def _hand_over(self) -> None:
        while self._messages:
            try:
                await self._send(self._messages.popleft())
            except Exception as error:
                self._error = error
                self._messages.clear()
