"""Observation in, Decision out: the vocabulary between the shell and the core.

All plain data. Times are seconds since the epoch unless a name says otherwise.
"""

from headgate.core.model.measurements import MeasureRequest, Reading, Sample
from headgate.core.model.objects import Json, Key, Kind, Part, Unreadable
from headgate.core.model.observation import (
    Decision,
    Identity,
    Notice,
    Observation,
    PolicyRecord,
    RolloutFacts,
    Target,
    Unwritten,
)
from headgate.core.model.workloads import (
    AutoscalerFacts,
    DeploymentFacts,
    EndingPods,
    PodFacts,
    PodTrouble,
    TemplateRecord,
)

__all__ = [
    "AutoscalerFacts",
    "Decision",
    "DeploymentFacts",
    "EndingPods",
    "Identity",
    "Json",
    "Key",
    "Kind",
    "MeasureRequest",
    "Notice",
    "Observation",
    "Part",
    "PodFacts",
    "PodTrouble",
    "PolicyRecord",
    "Reading",
    "RolloutFacts",
    "Sample",
    "Target",
    "TemplateRecord",
    "Unreadable",
    "Unwritten",
]
