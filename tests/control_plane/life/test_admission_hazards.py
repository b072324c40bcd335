"""Hazards of admission, each named by its id in the catalogue: what goes back does not ask whether Deployments may."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control_plane.life.admission import Admission, admitting
from tests.control_plane.life.rollouts import metric
from tests.control_plane.life.shops import Shop
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

HANGS_SECONDS = 29.0
SLOW_SECONDS = 22.0
AT_ONCE_SECONDS = 18
"""Less than one answer of a slow admission. A breach takes 5 s on an idle machine, for ticks are asked for when their
data has come; 8 s were too few on two cores that run everything."""


@contextlib.contextmanager
def slow(shop: Shop, folder: Path, **options: Any) -> Iterator[Admission]:
    """Have the Deployments of the shop admitted late or never, from when the API server knows of it."""
    with admitting(shop.kubectl, shop.namespace, folder) as admission:

        def known() -> bool:
            shop.kubectl(
                "label", "deployment", "-n", shop.namespace, "--all", "--overwrite", f"asked={admission.asked}"
            )
            return admission.asked > 0

        shop.wait(known, "an admission that is asked")
        for name, value in options.items():
            setattr(admission, name, value)
        yield admission


@pytest.mark.parametrize(
    "options",
    [{"seconds": SLOW_SECONDS}, {"seconds": HANGS_SECONDS}, {"refuses": True}],
    ids=["slow", "hangs", "refuses"],
)
def test_h35_abort_while_a_newer_template_is_compared(shop: Shop, tmp_path: Path, options: dict[str, Any]) -> None:
    """H35: an abort leads users back at once while the dry run of a newer template is slow, hangs or is refused."""
    shop.at_a_quarter()
    with slow(shop, tmp_path, **options) as admission:
        before = admission.asked
        shop.deploy("v3")
        shop.wait(lambda: admission.asked > before, "compared")
        shop.command("abort", "now")
        shop.wait_weights(AT_ONCE_SECONDS, web=100, canary=0)
    shop.wait(lambda: bool(shop.status.get("rejected")), "recorded")


@pytest.mark.parametrize("options", [{"seconds": HANGS_SECONDS}, {"refuses": True}], ids=["hangs", "refuses"])
def test_h35_breach_while_a_newer_template_is_compared(
    shop: Shop, prometheus: ScriptedPrometheus, tmp_path: Path, options: dict[str, Any]
) -> None:
    """H35: a breach leads users back at once while the dry run of a newer template hangs or is refused."""
    prometheus.script(constant(0.01, match=shop.namespace))
    analysis = {"metrics": [metric(shop.namespace)]}
    shop.at_a_quarter(analysis=analysis)
    with slow(shop, tmp_path, **options) as admission:
        before = admission.asked
        shop.deploy("v3", analysis=analysis)
        shop.wait(lambda: admission.asked > before, "compared")
        prometheus.script(constant(0.9, match=shop.namespace))
        shop.wait_weights(AT_ONCE_SECONDS, web=100, canary=0)


def test_h35_abort_while_pods_are_added(shop: Shop, tmp_path: Path) -> None:
    """H35: an abort leads users back at once while the write that gives the canary more pods hangs."""
    shop.at_a_quarter()
    with slow(shop, tmp_path, seconds=HANGS_SECONDS) as admission:
        before = admission.asked
        shop.promote()
        shop.wait(lambda: admission.asked > before, "asked for more pods")
        shop.command("abort", "now")
        shop.wait_weights(AT_ONCE_SECONDS, web=100, canary=0)
    shop.wait_phase("RolledBack")


def test_h35_a_dry_run_that_hangs_is_told(shop: Shop, tmp_path: Path) -> None:
    """H35: after a while the status says for how long the API server has not answered; then the version goes on."""
    shop.at_a_quarter()
    with slow(shop, tmp_path, seconds=HANGS_SECONDS):
        shop.deploy("v3")
        shop.wait_said("TemplateUnknown: whether the template is new is not known: the API server has not answered")
    shop.wait(lambda: "v3" in shop.sizes(), "the newer version on its way")
