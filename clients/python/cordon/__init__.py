"""A client of the Cordon service. It needs nothing but Python 3.10 or later.

    from cordon import Client, RunRequest

    client = Client("http://127.0.0.1:8080", token)
    result = client.run(RunRequest(language="python", source="print(6*7)"))
    print(result.verdict, result.stdout)

What went wrong with a program is a verdict in its result. What went wrong with a request or
the service is a ProblemError with a stable code.
"""

from .client import Client, new_key
from .errors import ProblemError
from .events import Event, Output, stderr_bytes, stdout_bytes
from .models import *  # noqa: F401,F403: the types of requests and results

__version__ = "1"
