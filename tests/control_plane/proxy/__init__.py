"""A proxy in front of the real API server that can go wrong in every way that a network or a server can."""

from tests.control_plane.proxy.faults import Answer, Call, Cut, Expire, Fault, Hang, Hold, Storm, When
from tests.control_plane.proxy.server import Proxy, Write

__all__ = ["Answer", "Call", "Cut", "Expire", "Fault", "Hang", "Hold", "Proxy", "Storm", "When", "Write"]
