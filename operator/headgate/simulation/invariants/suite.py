"""The judges of a world, all at once. They know the design and the world's truth, and nothing of how it was decided."""

from headgate.simulation.invariants.analysis_evidence import AnalysisEvidence
from headgate.simulation.invariants.context import Context, Violation
from headgate.simulation.invariants.decisions import Decisions
from headgate.simulation.invariants.missing_reads import MissingReads
from headgate.simulation.invariants.pod_capacity import PodCapacity
from headgate.simulation.invariants.routed_capacity import RoutedCapacity
from headgate.simulation.invariants.termination import Termination
from headgate.simulation.invariants.traffic_history import TrafficHistory
from headgate.simulation.invariants.traffic_writes import TrafficWrites
from headgate.simulation.world import World

__all__ = ["Invariants", "Violation"]


class Invariants:
    """Watch a world from now on; the first broken promise raises a `Violation`."""

    def __init__(self, world: World) -> None:
        self.scene = Context(world)
        self.capacity = PodCapacity(self.scene)
        self.ways = TrafficHistory(self.scene)
        self.evidence = AnalysisEvidence(self.scene, self.capacity, self.ways)
        self.conduct = Decisions(self.scene)
        self.doubts = MissingReads(self.scene)
        self.claims = Termination(self.scene)
        self.serving = RoutedCapacity(self.scene, self.ways)
        self.manners = TrafficWrites(self.scene, self.ways)
