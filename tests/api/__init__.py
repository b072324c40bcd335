"""The public contract: the models, the notations and the CustomResourceDefinition that is made of them."""
