"""An API server that does what it is told."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from aiohttp import web

from headgate.core.model import Json


class Stub:
    """An API server that gives the answers it is told to give, and remembers the questions."""

    def __init__(self) -> None:
        self.answers: list[web.Response | Exception | asyncio.Event] = []
        self.asked: list[tuple[str, str, dict[str, str], str, Any]] = []
        self.heard: list[tuple[str, str, str]] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Give the next answer; the last one for ever."""
        text = await request.text()
        body = json.loads(text) if text else None
        query = dict(request.query)
        self.asked.append((request.method, request.path, query, request.headers.get("Content-Type", ""), body))
        answer = self.answers.pop(0)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return web.json_response({})
        if isinstance(answer, Exception):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    def status(self, code: int, message: str = "words", headers: dict[str, str] | None = None, **details: Any) -> None:
        """Answer next with a Status."""
        reason = "NotFound" if code == HTTPStatus.NOT_FOUND else ""
        body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
        self.answers.append(web.json_response(body, status=code, headers=headers))

    def objects(self, *bodies: Json) -> None:
        """Answer next with *bodies*, one after the other."""
        self.answers.extend(web.json_response(body) for body in bodies)
