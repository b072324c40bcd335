"""What users and newcomers read says who acts: a client, a user, a pod or a request."""

import re
from collections.abc import Mapping

import pytest

from tests.house import tree

VAGUE = re.compile(r"\b(nobody|somebody|whoever|everybody|anybody)\b", re.IGNORECASE)
"""Words that do not tell who acts: a client, a user, a pod or a request does."""
FOLDERS = ("operator/", "docs/", "crds/")
GENERATED = "docs/hazards.md"
"""Made of the docstrings of tests, which are not counted."""
CORE = "operator/headgate/core/"
LEFT_IN_CORE = 133
"""How many are left in core; lower it with each that goes. No other text has one."""


def vague_words(texts: Mapping[str, str]) -> dict[str, int]:
    """Return how many vague words each text has, of those that have any."""
    counts = {path: len(VAGUE.findall(text)) for path, text in texts.items()}
    return {path: count for path, count in counts.items() if count}


def test_texts_say_who_acts() -> None:
    """No text of the package, the docs and the CRD has a vague word, but for those that are left in core."""
    texts = {path: text for path, text in tree.texts().items() if path.startswith(FOLDERS) and path != GENERATED}
    found = vague_words(texts)
    left = {path: count for path, count in found.items() if path.startswith(CORE)}
    assert not {path: count for path, count in found.items() if path not in left}, "say who acts"
    assert LEFT_IN_CORE >= sum(left.values()), f"say who acts: {left}"


@pytest.mark.parametrize("word", ["nobody", "Somebody's", "whoever", "everybody", "Anybody"])
def test_each_vague_word_is_found(word: str) -> None:
    """Each vague word is counted, at the beginning of a sentence and with a genitive too."""
    assert {"a.md": 1} == vague_words({"a.md": f"{word} waits, and nothing else does."})
