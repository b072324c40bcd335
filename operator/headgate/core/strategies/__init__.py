"""What canary, blueGreen, rollingUpdate and recreate mean for steps, pods and metrics."""
