"""The queries of one kind of metric server, a module each. They do not know each other."""
