"""What holds in every world, each invariant in a module of its own."""
