"""The whole life of Rollouts: the real operator process on the real API server."""
