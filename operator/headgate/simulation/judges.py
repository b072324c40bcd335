"""The judges of a world, all at once. They know the design and the world's truth, and nothing of how it was decided."""

from headgate.simulation.capacity import Capacity
from headgate.simulation.claims import Claims
from headgate.simulation.conduct import Conduct
from headgate.simulation.doubts import Doubts
from headgate.simulation.evidence import Evidence
from headgate.simulation.judging import Scene, Violation
from headgate.simulation.manners import Manners
from headgate.simulation.serving import Serving
from headgate.simulation.ways import Ways
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
