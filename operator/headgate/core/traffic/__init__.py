"""Which pods get which share of the requests: weights, Services and what the routers say of them."""
