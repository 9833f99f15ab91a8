"""Following a job by server-sent events."""

from __future__ import annotations

import base64
import http.client
import json
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from .errors import ProblemError
from .models import JobStatus, RunResult, TestResult, UsageSample
from .transport import Transport, passes

SILENCE = 60.0  # seconds: four times what the service lets pass without a sign of life


@dataclass
class Output:
    """A part of a stream. A job that is begun again prints anew, from the offset 0."""

    offset: int
    data: bytes
    at_ns: int | None = None  # since the program was started, where that is known


@dataclass
class Event:
    """What a job tells of itself. type is state, stdout, stderr, usage, or result, the last."""

    id: str
    type: str
    job: JobStatus | None = None
    output: Output | None = None
    usage: UsageSample | None = None


class _Closed(ConnectionError):
    """The service has closed the stream, and will be back."""


def frames(lines: http.client.HTTPResponse) -> Iterator[tuple[str, str, str]]:
    """Reads server-sent events: id, event, data. One that is cut off is none."""
    last, event, data = "", "", None
    for line in iter(lines.readline, b""):
        if not line.endswith(b"\n"):
            break
        text = line.rstrip(b"\r\n").decode("utf-8")
        if not text:
            if data is not None:
                yield last, event, data
            event, data = "", None
            continue
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            last = value
        elif name == "event":
            event = value
        elif name == "data":
            data = value if data is None else data + "\n" + value
    raise ConnectionError("the stream of events has ended before its last event")


def decode(last: str, event: str, data: str) -> Event | None:
    """The event as it is handed on; None for one of a newer service."""
    told: Any = json.loads(data)
    if event in ("state", "result"):
        return Event(last, event, job=JobStatus.from_dict(told))
    if event == "usage":
        return Event(last, event, usage=UsageSample.from_dict(told))
    if event in ("stdout", "stderr"):
        content = base64.b64decode(told["base64"], validate=True) if "base64" in told else told["text"].encode("utf-8")
        return Event(last, event, output=Output(told["offset"], content, told.get("at_ns")))
    if event == "closing":
        if told["reason"] == "unknown_job":
            raise ProblemError(404, "unknown_job", "the job's record is not kept any more")
        raise _Closed(f"the service has closed the stream: {told['reason']}")
    return None


def follow(transport: Transport, path: str, after: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[Event]:
    """Gives each event once, over as many connections as it takes."""
    failures = 0
    while True:
        try:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
            with transport.send("GET", path, want=(200, 204), headers=headers, once=True, timeout=SILENCE) as answer:
                if answer.response.status == 204:
                    return
                for last, event, data in frames(answer.response):
                    one = decode(last, event, data)
                    if one is not None:
                        failures = 0
                        yield one
                        if one.type == "result":
                            return
                    after = last
        except Exception as error:
            wait = max(transport.pause(failures), getattr(error, "retry_after", None) or 0)
            if not passes(error) or failures >= transport.retries or wait > transport.longest_wait:
                raise
            failures += 1
            sleep(wait)


def stdout_bytes(result: RunResult | TestResult) -> bytes:
    """The standard output as it was, whether it is text or not."""
    return base64.b64decode(result.stdout_base64) if result.stdout_base64 else result.stdout.encode("utf-8")


def stderr_bytes(result: RunResult | TestResult) -> bytes:
    """The standard error as it was."""
    return base64.b64decode(result.stderr_base64) if result.stderr_base64 else result.stderr.encode("utf-8")
