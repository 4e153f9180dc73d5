"""The seven phases under a WSGI server: GET /N runs phase N in the worker that answers, and tells its whole evidence.

    sneck run gunicorn -w 2 wsgi:app          GET /3?seconds=0.5&workers=4;  anything else: the evidence so far
"""

import json
import os
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any

import phases
from rlock_production_stress_test import evidence

accounts: dict[int, phases.Account] = {}        # a worker of a preloaded application begins with an account of its own


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    asked = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
    account = accounts.setdefault(os.getpid(), phases.Account())
    number = environ["PATH_INFO"].strip("/")
    if number.isdigit():
        phases.run(phases.PHASES[int(number) - 1], account, float(asked["seconds"][0]), int(asked["workers"][0]))
    body = json.dumps(evidence(account)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
