"""The shell around the core: queue, passes, watches, the cluster adapter, telemetry, settings, the process."""
