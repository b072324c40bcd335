"""The virtual controllers: Deployments, pods, endpoints and Gateways."""
