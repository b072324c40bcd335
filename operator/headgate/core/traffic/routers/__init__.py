"""What one kind of router needs and can do, a package each. They do not know each other."""
