"""Variables in queries: what they stand for, and that no value gets out of its string."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headgate.core.analysis.providers import prometheus
from tests.prometheus import promql

VARIABLES = prometheus.variables_for("prod", "web", 60.0, "abc12", "web-abc12", "def34", "web-def34")
HOSTILE = st.text(st.one_of(st.sampled_from("\"'`\\\n\r#{}()[]$=~,. -"), st.characters(codec="utf-8")), max_size=30)


@pytest.mark.parametrize(
    ("query", "rendered"),
    [
        ('up{ns="$(namespace)"}', 'up{ns="prod"}'),
        ("up{ns='$(namespace)/$(name)'}", "up{ns='prod/web'}"),
        ("up{ns=`$(name)`}", 'up{ns="web"}'),
        (r"up{a=`\d`,ns=`\d$(name)`}", r'up{a=`\d`,ns="\x5cdweb"}'),
        ("rate(x[$(window)])", "rate(x[60s])"),
        ('up{pod=~"$(canary.pods)"}', 'up{pod=~"web-abc12-[a-z0-9]{1,10}-[a-z0-9]{5}"}'),
        ('up{pod=~"$(stable.pods)"}', 'up{pod=~"web-def34-[a-z0-9]{1,10}-[a-z0-9]{5}"}'),
        ('up{a="$(canary.hash)",b="$(stable.hash)"}', 'up{a="abc12",b="def34"}'),
        ("up{ns=$(namespace)}", 'up{ns="prod"}'),
        ("up # don't $(name)\n / $(name)", 'up # don\'t $(name)\n / "web"'),
        ('up{a="#$(name)"}', 'up{a="#web"}'),
        (r'up{a="\"$(name)"}', r'up{a="\"web"}'),
        (r'up{a="\$(name)",b="\\$(name)"}', r'up{a="\$(name)",b="\\web"}'),
        ('up{a="$(nme)"} + $(nme)', 'up{a="$(nme)"} + $(nme)'),
        ('up{a="$1 $$ $("}', 'up{a="$1 $$ $("}'),
    ],
)
def test_variables_are_filled_in(query: str, rendered: str) -> None:
    """Each variable is replaced by its value, in a string as part of it and elsewhere as a string of its own."""
    assert prometheus.render(query, VARIABLES) == rendered


@pytest.mark.parametrize("query", ['up{a="$(name)', "up{a='$(name)", "up{a=`$(name)", 'up{a="$(name)\n}'])
def test_an_open_string_stays_open(query: str) -> None:
    """A value cannot close a string that the query leaves open: Prometheus refuses the query, as it should."""
    rendered = prometheus.render(query, {**VARIABLES, "name": "\"'`} or vector(0) #"})

    with pytest.raises(SyntaxError):
        promql.tokens_of(rendered)


@given(value=HOSTILE, quote=st.sampled_from("\"'`"))
@example(value='"} or vector(0) or x{a="', quote='"')
@example(value="\\", quote="'")
@example(value="$(namespace)", quote='"')
def test_no_value_leaves_its_string(value: str, quote: str) -> None:
    """Whatever a value holds, the query keeps its tokens, and the string that the value is in means that value."""
    rendered = prometheus.render(f"up{{a={quote}<$(name)>{quote}}} / x[$(window)]", {"name": value, "window": "60s"})
    tokens = promql.tokens_of(rendered)

    assert [t.text for t in tokens if t.kind != "string"] == ["up", "{", "a", "=", "}", "/", "x", "[", "60s", "]"]
    assert [promql.unquote(t.text) for t in tokens if t.kind == "string"] == [f"<{value}>"]


@given(value=HOSTILE)
@example(value="60s")
def test_a_value_outside_of_strings_is_one_string(value: str) -> None:
    """Outside of strings a value is a string of its own, even one that looks like a duration."""
    tokens = promql.tokens_of(prometheus.render("a $(name) b", {"name": value}))

    assert [token.kind for token in tokens] == ["word", "string", "word"]
    assert promql.unquote(tokens[1].text) == value


@given(value=HOSTILE)
def test_a_comment_stays_a_comment(value: str) -> None:
    """A variable in a comment is left alone: no value can end it."""
    assert prometheus.render("up # $(name)", {"name": value}) == "up # $(name)"


def test_a_window_that_is_no_duration_is_a_string() -> None:
    """Only a duration stands bare, whoever calls it the window."""
    assert prometheus.render("x[$(window)]", {"window": "1s] or y[1s"}) == 'x["1s] or y[1s"]'


def test_half_a_character_is_replaced() -> None:
    """A lone surrogate has no UTF-8 and Prometheus refuses its escape: the replacement character stands for it."""
    assert prometheus.render('"$(name)"', {"name": "a\ud800"}) == r'"a\ufffd"'


@pytest.mark.parametrize(
    ("seconds", "text"), [(60.0, "60s"), (1.0, "1s"), (5400.0, "5400s"), (1.5, "1500ms"), (90.001, "90001ms")]
)
def test_the_window_is_a_duration(seconds: float, text: str) -> None:
    """The window is written in whole seconds, and in milliseconds only where it must be."""
    variables = prometheus.variables_for("n", "w", seconds, "", "", "", "")

    assert variables["window"] == text


@pytest.mark.parametrize(
    ("deployment", "pod", "belongs"),
    [
        ("web-abc12", "web-abc12-5d8f9c7b6d-x7k2p", True),
        ("web-abc12", "web-abc12-5-x7k2p", True),
        ("web-abc12", "web-abc12-x7k2p", False),
        ("web-abc12", "web-abc12-v2-5d8f9c7b6d-x7k2p", False),
        ("web-abc12", "my-web-abc12-5d8f9c7b6d-x7k2p", False),
        ("web-abc12", "web-abc12-5d8f9c7b6d-x7k2pp", False),
        ("web.v1-abc12", "web.v1-abc12-5d8f9c7b6d-x7k2p", True),
        ("web.v1-abc12", "webxv1-abc12-5d8f9c7b6d-x7k2p", False),
        ("", "web-abc12-5d8f9c7b6d-x7k2p", False),
        ("", "", False),
    ],
)
def test_pods_matches_the_pods_of_one_deployment(deployment: str, pod: str, *, belongs: bool) -> None:
    """`.pods` matches exactly the pods of its Deployment, and none where there is no Deployment."""
    variables = prometheus.variables_for("n", "w", 60.0, "", deployment, "", "")
    (literal,) = promql.tokens_of(prometheus.render("$(canary.pods)", variables))

    assert (re.fullmatch(promql.unquote(literal.text), pod) is not None) == belongs


@given(deployment=HOSTILE)
def test_a_deployments_name_is_no_pattern(deployment: str) -> None:
    """Nothing in a Deployment's name means anything in the pattern of its pods."""
    pattern = prometheus.variables_for("n", "w", 60.0, "", "", "", deployment)["stable.pods"]

    assert re.fullmatch(pattern, f"{deployment}-5d8f-x7k2p")


@pytest.mark.parametrize(
    ("query", "unknown"),
    [
        ("up", ()),
        (" ".join(f"$({name})" for name in prometheus.NAMES), ()),
        ('$(b) "$(a)" `$(a)` $(canary.pod)', ("b", "a", "canary.pod")),
        ("up # $(old)", ()),
        ('"$( name )" $()', (" name ", "")),
    ],
)
def test_unknown_variables_are_named(query: str, unknown: tuple[str, ...]) -> None:
    """A variable that does not exist is found wherever it would have been filled in."""
    assert prometheus.unknown_variables(query) == unknown
