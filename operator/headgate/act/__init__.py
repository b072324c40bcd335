"""Carries out a Decision: idempotent actions, traffic safety first.

Knows no Kubernetes client and decides nothing.
"""

from headgate.act.actor import Actor, Result
from headgate.act.interfaces import Notices, Writer

__all__ = ["Actor", "Notices", "Result", "Writer"]
