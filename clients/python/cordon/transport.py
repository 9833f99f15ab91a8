"""Requests over HTTP, sent again where that cannot run anything twice."""

from __future__ import annotations

import http.client
import random
import socket
import time
from typing import BinaryIO, Callable, Mapping
from urllib.parse import urlsplit

from .errors import ProblemError, problem_of

Body = Callable[[], "tuple[bytes | BinaryIO, int]"]

_PROBLEM_BYTES = 1 << 20
BROKEN = (OSError, http.client.HTTPException)  # a connection that broke, or was never there


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("cordon", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except OSError:
            self.sock.close()
            raise


class Answer:
    """An answer whose body has not been read; to be closed."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self.response = response
        self.body = b""

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.response.close()
        self._connection.close()


class Transport:
    """Where the service is, and how often it is asked."""

    def __init__(self, url: str, token: str | None, retries: int, longest_wait: float, user_agent: str) -> None:
        if retries < 0 or longest_wait < 0:
            raise ValueError(f"retries {retries} and longest_wait {longest_wait} given, 0 or more are wanted")
        if token is not None and not all("!" <= c <= "~" for c in token):
            raise ValueError("token: visible ASCII characters without spaces are wanted")
        self.retries = retries
        self.longest_wait = longest_wait
        self.first_wait = 0.1
        self._headers = {"User-Agent": user_agent} | ({"Authorization": "Bearer " + token} if token else {})
        self._socket = ""
        if url.startswith("unix:"):
            self._socket = url.removeprefix("unix:").removeprefix("//")
            if not self._socket.startswith("/"):
                raise ValueError(f"url: {url!r} given, unix: and an absolute path is wanted")
            url = "http://cordon"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("url: one such as http://127.0.0.1:8080, https://host/below or unix:/path is wanted")
        self._secure, self._host, self._port, self._base = parts.scheme == "https", parts.hostname, parts.port, parts.path.rstrip("/")

    def _connect(self, timeout: float | None) -> http.client.HTTPConnection:
        if self._socket:
            return _UnixConnection(self._socket, timeout)
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=timeout)

    def pause(self, attempt: int) -> float:
        """Grows with each attempt; half of it is left to chance."""
        longest = min(self.first_wait * 2 ** min(attempt, 20), self.longest_wait)
        return longest / 2 + random.uniform(0, longest / 2)

    def send(self, method: str, path: str, *, want: tuple[int, ...] = (200,), headers: Mapping[str, str] | None = None, body: Body | None = None,
             repeatable: bool = False, once: bool = False, whole: bool = False, timeout: float | None = None) -> Answer:
        """Gives an answer that is wanted. repeatable: twice is as good as once. whole: with its body read."""
        attempt = 0
        while True:
            wait = self.pause(attempt)
            try:
                answer = self._try(method, path, headers or {}, body, timeout)
                if answer.response.status in want:
                    if whole:
                        with answer:
                            answer.body = answer.response.read()
                    return answer
                with answer:
                    status = answer.response.status
                    problem = problem_of(method, status, answer.response.headers, answer.response.read(_PROBLEM_BYTES))
                error: Exception = problem
                again = (status in (429, 503) and (repeatable or problem.retry_after is not None)) or (status in (502, 504) and repeatable)
                wait = max(wait, problem.retry_after or 0)
            except BROKEN as broken:
                error, again = broken, repeatable
            if once or not again or attempt >= self.retries or wait > self.longest_wait:
                raise error
            time.sleep(wait)
            attempt += 1

    def _try(self, method: str, path: str, headers: Mapping[str, str], body: Body | None, timeout: float | None) -> Answer:
        connection = self._connect(timeout)
        try:
            content, length = body() if body else (None, -1)
            size = {"Content-Length": str(length)} if length >= 0 else {}
            try:
                connection.request(method, self._base + path, body=content, headers={**headers, **self._headers, **size},
                                   encode_chunked=content is not None and length < 0)
            except (BrokenPipeError, ConnectionResetError):
                if content is None:
                    raise
                # Who turns a request away may do so before it has come in whole: its answer may be there.
            return Answer(connection, connection.getresponse())
        except BaseException:
            connection.close()
            raise


def passes(error: Exception) -> bool:
    """What may be otherwise in a moment."""
    if isinstance(error, ProblemError):
        return error.status in (429, 502, 503, 504)
    return isinstance(error, BROKEN)
