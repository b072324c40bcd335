"""The control plane, the same as that of tests/control_plane."""

from tests.control_plane.conftest import control_plane

__all__ = ["control_plane"]
