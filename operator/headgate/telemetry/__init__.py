"""What Headgate says of itself: metrics, Kubernetes Events, logs and health. Hears of everything, steers nothing."""
