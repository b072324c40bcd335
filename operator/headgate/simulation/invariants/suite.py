"""The judges of a world, all at once. They know the design and the world's truth, and nothing of how it was decided."""

from headgate.simulation.invariants.analysis_evidence import Evidence
from headgate.simulation.invariants.context import Scene, Violation
from headgate.simulation.invariants.decisions import Conduct
from headgate.simulation.invariants.missing_reads import Doubts
from headgate.simulation.invariants.pod_capacity import Capacity
from headgate.simulation.invariants.routed_capacity import Serving
from headgate.simulation.invariants.termination import Claims
from headgate.simulation.invariants.traffic_history import Ways
from headgate.simulation.invariants.traffic_writes import Manners
from headgate.simulation.world import World

__all__ = ["Judges", "Violation"]


class Judges:
    """Watch a world from now on; the first broken promise raises a `Violation`."""

    def __init__(self, world: World) -> None:
        self.scene = Scene(world)
        self.capacity = Capacity(self.scene)
        self.ways = Ways(self.scene)
        self.evidence = Evidence(self.scene, self.capacity, self.ways)
        self.conduct = Conduct(self.scene)
        self.doubts = Doubts(self.scene)
        self.claims = Claims(self.scene)
        self.serving = Serving(self.scene, self.ways)
        self.manners = Manners(self.scene, self.ways)
