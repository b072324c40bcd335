"""Questions to a component over http(s): is it ready, what does it hold.

Owns the one small http client of this package. It answers with words, never
with an exception: a component that is not up yet is the usual case.
"""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from hack.cluster.certificates import Authority, Pair

# A stopped (SIGSTOP) server accepts and never answers.
ANSWER_SECONDS = 2.0

Unready = Callable[[], str | None]


def answers(url: str, authority: Authority, client: Pair) -> Unready:
    """Return a probe that is content with any answer of 200 from *url*."""
    return lambda: _get(url, authority, client)[1]


def holds(url: str, authority: Authority, client: Pair, missing: Callable[[Mapping[str, Any]], str | None]) -> Unready:
    """Return a probe of the JSON object at *url*: *missing* says what it lacks."""

    def unready() -> str | None:
        body, problem = _get(url, authority, client)
        return problem if problem is not None else missing(json.loads(body))

    return unready


def has_condition(thing: Mapping[str, Any], kind: str) -> bool:
    """Tell whether the Kubernetes object *thing* has the condition *kind* with status True."""
    conditions = (thing.get("status") or {}).get("conditions") or ()
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _get(url: str, authority: Authority, client: Pair) -> tuple[bytes, str | None]:
    try:
        context = ssl.create_default_context(cafile=str(authority.pair.certificate))
        context.load_cert_chain(client.certificate, client.key)
        # No proxy of the environment may stand between us and the loopback address.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(url, timeout=ANSWER_SECONDS) as answer:
            return answer.read(), None
    except urllib.error.HTTPError as error:
        return b"", f"{url} answers {error.code}"
    except (OSError, ValueError) as error:
        return b"", f"{url} does not answer ({error})"
