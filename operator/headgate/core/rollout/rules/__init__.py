"""The rules that `decide` asks in order. They know the state, and not each other."""
