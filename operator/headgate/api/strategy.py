"""The strategies of a Rollout: how a new version takes over, as users write it."""

from typing import Annotated, Final

import pydantic

from headgate.api import cel
from headgate.api.model import OneOf, SpecModel
from headgate.api.steps import Step
from headgate.api.values import Duration, IntOrPercent

WHOLE: Final = 100
SCALE_DOWN_DELAY_SECONDS: Final = 300.0
"""The default of scaleDownDelay: a few windows of any metric, at the price of the old version's pods for so long."""


class Canary(SpecModel):
    """Ship a new version step by step."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())
    RULES = (cel.SOME_EXCHANGE,)

    max_surge: IntOrPercent | None = pydantic.Field(
        default=None,
        description="How many pods may run beyond replicas while both versions run. Rounded up. "
        "Absent: 25%, and 100% with spec.traffic.",
    )
    max_unavailable: IntOrPercent = pydantic.Field(
        default=0, description="How many pods fewer than replicas may be available meanwhile. Rounded down."
    )
    scale_down_delay_seconds: Duration = pydantic.Field(
        default=SCALE_DOWN_DELAY_SECONDS,
        alias="scaleDownDelay",
        description="With spec.traffic: how long the old version's pods stay after a promotion. Until then analysis "
        "goes on, and going back is one write.",
    )
    steps: Annotated[tuple[Step, ...], cel.keeps(*cel.STEPS)] = pydantic.Field(
        default=(),
        max_length=50,
        description="What happens in order. A last step to 100 percent is implied. Empty: straight to 100 percent.",
        json_schema_extra=cel.atomic_list(),
    )


class RollingUpdate(SpecModel):
    """Exchange pod by pod."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())
    RULES = (cel.SOME_EXCHANGE,)

    max_surge: IntOrPercent = pydantic.Field(
        default="25%", description="How many pods may run beyond replicas while both versions run. Rounded up."
    )
    max_unavailable: IntOrPercent = pydantic.Field(
        default=0, description="How many pods fewer than replicas may be available meanwhile. Rounded down."
    )


class Recreate(SpecModel):
    """All old pods go before the first new one starts."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())


class AutoPromotion(SpecModel):
    """When users are switched without being told to."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    after_seconds: Duration = pydantic.Field(
        default=0.0,
        alias="after",
        description="How long the new version stands ready in preview before the switch. Metrics of PrePromotion must "
        "have passed as well.",
    )


class BlueGreen(SpecModel):
    """The new version beside the old one, and one switch for all users."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    preview_replicas: Annotated[IntOrPercent, cel.keeps(cel.PREVIEW_SOME)] | None = pydantic.Field(
        default=None,
        description="How many pods the new version has in preview, behind the canary Service; the others start before "
        "the switch. Rounded up. Absent: all.",
    )
    auto_promotion: AutoPromotion | None = pydantic.Field(
        default=None, description="Switch users without being told to. Absent: once it is promoted by command."
    )
    scale_down_delay_seconds: Duration = pydantic.Field(
        default=SCALE_DOWN_DELAY_SECONDS,
        alias="scaleDownDelay",
        description="How long the old version's pods stay after a promotion. Until then analysis goes on, and going "
        "back is one write.",
    )


Way = Canary | BlueGreen | RollingUpdate | Recreate
"""What a strategy is exactly one of."""


class Strategy(OneOf):
    """How a new version takes over: exactly one of its fields is set."""

    SENTENCE = ("a strategy is exactly one of", ": keep one of them")

    canary: Canary | None = pydantic.Field(default=None, description="Ship a new version step by step.")
    blue_green: BlueGreen | None = pydantic.Field(
        default=None,
        description="Start the new version in full beside the old one, and switch all users at once; needs "
        "spec.traffic. With routes the switch is their weight, without it is the stable Service's selector.",
    )
    rolling_update: RollingUpdate | None = pydantic.Field(
        default=None,
        description="Exchange pod by pod, without steps. Metrics are judged meanwhile and can roll back; once all pods "
        "are new they must pass before the new version counts as promoted.",
    )
    recreate: Recreate | None = pydantic.Field(
        default=None,
        description="All old pods go, terminating ones included, before the first new one starts: for databases, "
        "licences and volumes that two versions must not share. No pod serves meanwhile. A rollback is the same, "
        "the other way round. Old pods that take longer than progressDeadlineSeconds to go end the attempt.",
    )

    @property
    def way(self) -> Way:
        """The field that is set."""
        return self.recreate or self.rolling_update or self.blue_green or self.canary or Canary()
