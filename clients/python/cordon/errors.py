"""What the service has against a request."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any

NO_PROBLEM_DOCUMENT = "no_problem_document"  # the code of an answer that is not the service's
_STRANGER = 200  # of such an answer, in its detail
_HEAD = {401: "unauthorized", 404: "unknown_file", 429: "too_many_attempts", 503: "queue_full"}


class ProblemError(Exception):
    """A problem as the service tells it (RFC 9457). code is stable."""

    def __init__(self, status: int, code: str, detail: str, path: str = "", job: str = "",
                 denials: list[dict[str, str]] | None = None, retry_after: float | None = None) -> None:
        super().__init__(f"{code}: {path + ': ' if path else ''}{detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.path = path  # the field at fault, as in files[0].path
        self.job = job
        self.denials = denials or []
        self.retry_after = retry_after  # seconds; None where the service said nothing


def problem_of(method: str, status: int, headers: Message, body: bytes) -> ProblemError:
    """Reads an answer that is none of those that were wanted."""
    wait = retry_after(headers.get("Retry-After"))
    if method == "HEAD" and status in _HEAD:
        return ProblemError(status, _HEAD[status], "an answer to HEAD says no more", retry_after=wait)
    try:
        told: Any = json.loads(body)
        if headers.get("Content-Type", "").split(";")[0].strip() != "application/problem+json":
            raise ValueError
        return ProblemError(status, str(told["code"]), str(told["detail"]), told.get("path", ""), told.get("job", ""),
                            told.get("denials"), wait)
    except (ValueError, KeyError, TypeError, AttributeError):
        text = body[:_STRANGER].decode("utf-8", "replace").strip()
        return ProblemError(status, NO_PROBLEM_DOCUMENT, f"status {status}, and no problem as the service tells it: {text!r}; "
                            "does the URL lead to the service?", retry_after=wait)


def retry_after(text: str | None) -> float | None:
    """Reads the header: seconds, or a date."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds())
    except (ValueError, TypeError):
        return None
