"""Routes and Gateways of the Gateway API."""
