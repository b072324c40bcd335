"""Where Headgate meets the outside: one room per system, each fitting a Protocol that its user declares."""
