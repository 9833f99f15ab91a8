"""Tries the client against a running service. The second URL leads to the same service over
a line that breaks, the third is its socket."""

import hashlib
import io
import os
import sys
import time
from threading import Thread

from cordon import Client, FileRequest, JobRequest, ProblemError, RunRequest, stderr_bytes, stdout_bytes

direct, broken, socket, token = sys.argv[1:]
client = Client(direct, token)
shaky = Client(broken, token)


def shell(text, **more):
    return JobRequest(command=["sh", "-c", text], **more)


def same(what, got, want):
    if got != want:
        raise RuntimeError(f"{what}: {got!r}, want {want!r}")


def refused(what, call, code, status):
    try:
        call()
    except ProblemError as problem:
        same(what, (problem.code, problem.status), (code, status))
        return problem
    raise RuntimeError(f"{what}: not refused")


def run():
    result = client.run(RunRequest(command=["sh", "-c", "echo out; printf '\\377' >&2; exit 3"]))
    same("run", (result.verdict, result.exit_code, result.signal, result.stdout, stderr_bytes(result)), ("nonzero", 3, None, "out\n", b"\xff"))
    problem = refused("a policy", lambda: client.run(RunRequest(command=["true"], policy="none")), "unknown_policy", 422)
    same("its field", problem.path, "policy")
    refused("a token", lambda: Client(direct, "wrong").policies(), "unauthorized", 401)


def files():
    content = "kept by Python ä\n".encode()
    kept = client.put_file(content)
    same("size", kept.size_bytes, len(content))
    same("again", client.put_file(io.BytesIO(content)), kept)
    result = client.run(RunRequest(command=["cat", "a"], files=[FileRequest(path="a", sha256=kept.sha256)]))
    same("in a job", result.stdout.encode(), content)
    to = io.BytesIO()
    client.get_file(kept.sha256, to)
    same("read", (client.get_file(kept.sha256), to.getvalue(), client.file_size(kept.sha256)), (content, content, len(content)))
    client.delete_file(kept.sha256)
    pipe, end = os.pipe()
    os.write(end, content)
    os.close(end)
    with open(pipe, "rb") as stream:  # which cannot be rewound, and does not tell its length
        same("by pipe", client.put_file(stream, hashlib.sha256(content).hexdigest()), kept)
    client.delete_file(kept.sha256)
    refused("deleted", lambda: client.get_file(kept.sha256), "unknown_file", 404)
    refused("its size", lambda: client.file_size(kept.sha256), "unknown_file", 404)


def follow():
    key = f"python-{time.time_ns()}"
    job = shell("for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.05; done; printf '\\377\\n'; echo error >&2", retry_safe=True)
    id = shaky.submit(job, key).id  # whose first answer is lost
    same("the same key", client.submit(job, key).id, id)
    stdout, stderr, types = b"", b"", []
    for event in shaky.events(id):
        types.append(event.type)
        if event.type == "stdout":
            same("offset", event.output.offset, len(stdout))
            stdout += event.output.data
        elif event.type == "stderr":
            stderr += event.output.data
        elif event.type == "result":
            same("stdout", stdout, stdout_bytes(event.job.result))
            same("the end", (event.job.state, event.job.attempts, event.job.result.verdict, stderr, len(stdout)), ("done", 1, "ok", b"error\n", 58))
    same("the last", types[-1], "result")
    same("wait", shaky.wait(id).state, "done")
    refused("unknown", lambda: client.job("00000000-0000-7000-8000-000000000000"), "unknown_job", 404)


def cancel():
    id = client.submit(shell("sleep 1000")).id
    for event in client.events(id):
        if event.type == "state" and event.job.state == "running":
            break
    for _ in range(2):
        same("cancel", client.cancel(id).state, "cancelled")
    same("listed", id in [job.id for job in client.jobs(state="cancelled", page=1)], True)


def host():
    same("alive", (client.healthy(), client.ready(), Client(socket).ready()), (True, True, True))
    same("policies", "judge" in [policy.name for policy in client.policies()], True)
    same("languages", [language.status for language in client.languages() if language.id == "sh"], ["ok"])
    same("doctor", type(client.doctor()), dict)


done = []
threads = [Thread(target=lambda part=part: (part(), done.append(part))) for part in (run, files, follow, cancel, host)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if len(done) != len(threads):
    raise SystemExit("something did not hold; it is told above")
print("everything held")
