"""What speaks to the world outside, each room against a server that misbehaves on purpose."""
