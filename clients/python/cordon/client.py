"""The service, as its clients see it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
from typing import Any, BinaryIO, Iterator
from urllib.parse import quote, urlencode

from .errors import ProblemError
from .events import Event, follow
from .models import JobRequest, JobStatus, KeptFile, LanguageInfo, LanguageList, PolicyInfo, PolicyList, JobList, RunRequest, RunResult
from .transport import Body, Transport

_CHUNK = 1 << 16
_PATIENCE = 60.0  # seconds in which the service says something


def new_key() -> str:
    """An Idempotency-Key that no other submission has."""
    return secrets.token_urlsafe(24)


class Client:
    """A service. url is http://host:port, https://host/below, or unix:/path.

    A request is sent again, up to retries times with longest_wait seconds between two at
    most, only where that cannot run anything twice. May be used by several threads.
    """

    def __init__(self, url: str = "http://127.0.0.1:8080", token: str | None = None, *, retries: int = 8, longest_wait: float = 5.0,
                 user_agent: str = "cordon-client-python") -> None:
        self._transport = Transport(url, token, retries, longest_wait, user_agent)

    def run(self, job: RunRequest, timeout: float | None = None) -> RunResult:
        """Runs a job and waits for its result. Not sent again when the connection breaks: nobody knows then whether it ran."""
        return _typed(RunResult, self._json("POST", "/v1/run", body=_as_json(job.to_dict()), timeout=timeout))

    def submit(self, job: JobRequest, key: str | None = None) -> JobStatus:
        """Queues a job, once, whatever becomes of the connection: it has a key, a new one when none is given."""
        return _typed(JobStatus, self._json("POST", "/v1/jobs", want=(202,), headers={"Idempotency-Key": key or new_key()},
                                              body=_as_json(job.to_dict()), repeatable=True))

    def job(self, id: str) -> JobStatus:
        """What is known of a job, with its result when it has ended."""
        return _typed(JobStatus, self._json("GET", _job(id), repeatable=True))

    def jobs(self, state: str = "", after: str = "", page: int | None = None) -> Iterator[JobStatus]:
        """The jobs in the order in which they came, without results; pages are asked for as they are needed."""
        while True:
            query = {name: value for name, value in (("state", state), ("after", after), ("limit", page)) if value}
            answer = _typed(JobList, self._json("GET", "/v1/jobs" + ("?" + urlencode(query) if query else ""), repeatable=True))
            yield from answer.jobs
            if not answer.next:
                return
            after = answer.next

    def cancel(self, id: str) -> JobStatus:
        """Ends a job, and returns when that has happened."""
        return _typed(JobStatus, self._json("DELETE", _job(id), repeatable=True))

    def events(self, id: str, after: str = "") -> Iterator[Event]:
        """Follows a job until its result, over broken connections and starts of the service; each event comes once."""
        return follow(self._transport, _job(id) + "/events", after)

    def wait(self, id: str) -> JobStatus:
        """Follows a job until it has ended, and gives it with its result."""
        for event in self.events(id):
            if event.type == "result" and event.job is not None:
                return event.job
        return self.job(id)

    def put_file(self, content: bytes | BinaryIO, sha256: str | None = None) -> KeptFile:
        """Keeps a file by its content. A stream that cannot be rewound wants its SHA-256, and is sent once."""
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        if not stream.seekable():
            if sha256 is None:
                raise ValueError("sha256: wanted for a stream that cannot be rewound")
            return _typed(KeptFile, self._json("PUT", _file(sha256), want=(200, 201), body=lambda: (stream, -1)))
        begin = stream.tell()
        if sha256 is None:
            sha256 = _sum(stream)
        length = stream.seek(0, os.SEEK_END) - begin

        def again() -> tuple[BinaryIO, int]:
            stream.seek(begin)
            return stream, length
        return _typed(KeptFile, self._json("PUT", _file(sha256), want=(200, 201), body=again, repeatable=True))

    def get_file(self, sha256: str, to: BinaryIO | None = None) -> bytes:
        """Reads a file, and checks it. With to, it is written there, and b"" is returned."""
        out = to if to is not None else io.BytesIO()
        seen = hashlib.sha256()
        with self._transport.send("GET", _file(sha256), repeatable=True, timeout=_PATIENCE) as answer:
            while part := answer.response.read(_CHUNK):
                seen.update(part)
                out.write(part)
        if seen.hexdigest() != sha256:
            raise OSError(f"file {sha256}: what came has the SHA-256 {seen.hexdigest()}")
        return out.getvalue() if isinstance(out, io.BytesIO) and to is None else b""

    def file_size(self, sha256: str) -> int:
        """The size of a file. Asking does not count as use of it."""
        with self._transport.send("HEAD", _file(sha256), repeatable=True, timeout=_PATIENCE) as answer:
            return int(answer.response.headers["Content-Length"])

    def delete_file(self, sha256: str) -> None:
        """Deletes a file that is not in use."""
        self._transport.send("DELETE", _file(sha256), want=(204,), timeout=_PATIENCE).close()

    def policies(self) -> list[PolicyInfo]:
        """The policies with their limits."""
        return _typed(PolicyList, self._json("GET", "/v1/policies", repeatable=True)).policies

    def languages(self) -> list[LanguageInfo]:
        """The languages, installed or not."""
        return _typed(LanguageList, self._json("GET", "/v1/languages", repeatable=True)).languages

    def doctor(self) -> Any:
        """What the host offers, as cordon doctor --json prints it."""
        return self._json("GET", "/v1/doctor", repeatable=True)

    def healthy(self) -> bool:
        """The process lives. It is asked once."""
        return self._probe("/healthz")

    def ready(self) -> bool:
        """Jobs are taken. It is asked once."""
        return self._probe("/readyz")

    def _probe(self, path: str) -> bool:
        try:
            self._transport.send("GET", path, once=True, timeout=_PATIENCE).close()
        except ProblemError as problem:
            if problem.status == 503:
                return False
            raise
        return True

    def _json(self, method: str, path: str, *, want: tuple[int, ...] = (200,), headers: dict[str, str] | None = None, body: Body | None = None,
              repeatable: bool = False, timeout: float | None = _PATIENCE) -> Any:
        kind = {"Content-Type": "application/octet-stream" if method == "PUT" else "application/json"} if body else {}
        answer = self._transport.send(method, path, want=want, headers={**kind, **(headers or {})}, body=body, repeatable=repeatable, whole=True, timeout=timeout)
        return json.loads(answer.body)


def _typed(kind: Any, told: Any) -> Any:
    try:
        return kind.from_dict(told)
    except (AssertionError, AttributeError, TypeError) as error:
        raise ValueError(f"the answer is no {kind.__name__}: is the service older than this client?") from error


def _as_json(value: Any) -> Body:
    text = json.dumps(value, ensure_ascii=False).encode("utf-8")
    return lambda: (text, len(text))


def _sum(stream: BinaryIO) -> str:
    seen = hashlib.sha256()
    while part := stream.read(_CHUNK):
        seen.update(part)
    return seen.hexdigest()


def _job(id: str) -> str:
    return "/v1/jobs/" + quote(id, safe="")


def _file(sha256: str) -> str:
    return "/v1/files/" + quote(sha256, safe="")
