"""Observation in, Decision out: the vocabulary between the shell and the core.

All plain data. Times are seconds since the epoch unless a name says otherwise.
"""

from headgate.core.model.observation import (
    AutoscalerFacts,
    Decision,
    DeploymentFacts,
    EndingPods,
    Identity,
    Json,
    Key,
    Kind,
    MeasureRequest,
    Notice,
    Observation,
    PodFacts,
    PodTrouble,
    PolicyRecord,
    Reading,
    RolloutFacts,
    Sample,
    Target,
    TemplateRecord,
    Unwritten,
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
    "PodFacts",
    "PodTrouble",
    "PolicyRecord",
    "Reading",
    "RolloutFacts",
    "Sample",
    "Target",
    "TemplateRecord",
    "Unwritten",
]
