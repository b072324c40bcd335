"""Headgate: progressive delivery for Kubernetes. Owns the version; every other room has its own module."""

__version__ = "0.1.0.dev0"
