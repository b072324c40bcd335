"""Revisions of a template: their identity, their history and the objects made from them."""
