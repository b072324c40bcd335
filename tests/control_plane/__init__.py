"""Against a real API server: what it refuses, keeps and merges, and how Headgate behaves there."""
