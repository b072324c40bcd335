"""How a value becomes a verdict, a module each. They do not know each other."""
