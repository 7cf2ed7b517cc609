"""The limits of a service, checked before a request reaches a model. Nothing of a request is written to a log."""

import asyncio
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

SECURITY = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them at a time, may ask for."""

    characters: int = 5000  # of all texts in a request
    texts: int = 100  # in a request
    body: int = 100_000  # bytes
    seconds: float = 30  # until a request is answered
    requests: int = 200  # at a time


class RefusedError(Exception):
    """A request that is not answered: the HTTP status and the reason, a sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Guard:
    """ASGI middleware: refuses what exceeds the limits, and answers every error with one sentence in JSON.

    Args:
        app: what it protects.
        limits: see there.
        hosts: the host names that requests may be sent to, so that no page of another site can reach a local service
            under a name of its own; none of them for any.
    """

    def __init__(self, app: ASGIApp, limits: Limits, hosts: Sequence[str] = ()) -> None:
        self.app, self.limits, self.hosts = app, limits, hosts
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reply = Reply(send)
        self.active += 1
        try:
            self.check(dict(scope["headers"]))
            async with asyncio.timeout(self.limits.seconds):
                body = await self.read(receive)
                await self.app(scope, replay(body, receive), reply)
        except Exception as error:
            await reply.refuse(scope, receive, refusal(error, self.limits))
        finally:
            self.active -= 1

    def check(self, headers: dict[bytes, bytes]) -> None:
        """Raise where a request is for another host, too large, or one too many."""
        if self.active > self.limits.requests:
            raise RefusedError(503, "The service is busy: try again in a second.")
        host = headers.get(b"host", b"").decode("latin-1").rpartition("@")[2]
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self.hosts and name not in self.hosts:
            raise RefusedError(421, f"This service answers at {' and '.join(self.hosts)} only.")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.body:
            raise self.too_large()

    async def read(self, receive: Receive) -> bytes:
        """The whole body, however it arrives."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.limits.body:
                raise self.too_large()
        return bytes(body)

    def too_large(self) -> RefusedError:
        return RefusedError(413, f"The request has more than {self.limits.body:,} bytes: send less at a time.")


def replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read to the app, then what else arrives."""
    rest = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": rest.pop(), "more_body": False} if rest else await receive()

    return again


class Reply:
    """Sends a response with the headers of every response; remembers whether it has begun."""

    def __init__(self, send: Send) -> None:
        self.send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            own = [(name.encode(), value.encode()) for name, value in SECURITY.items()]
            message = {**message, "headers": [*message["headers"], *own]}
        await self.send(message)

    async def refuse(self, scope: Scope, receive: Receive, error: RefusedError) -> None:
        if not self.begun:
            headers = {"retry-after": "1"} if error.status == 503 else None
            await error_response(error.status, error.reason, headers)(scope, receive, self)


def error_response(status: int, reason: str, headers: Any = None) -> JSONResponse:
    """``{"error": "One sentence."}``."""
    return JSONResponse({"error": reason}, status, headers)


def refusal(error: Exception, limits: Limits) -> RefusedError:
    """The answer to a client after an error. Of an unexpected one, the log has the type and the place alone."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, TimeoutError):
        return RefusedError(504, f"The answer took more than {limits.seconds:g} seconds: send less text.")
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s in %s, line %s", type(error).__name__, place.filename, place.lineno)
    return RefusedError(500, "The service failed; its log has the place of the error.")
