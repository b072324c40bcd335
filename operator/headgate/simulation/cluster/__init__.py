"""The virtual API server: its store, its checks, and who owns which field."""
