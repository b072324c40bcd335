"""The arithmetic of pods: budgets, sizes, restarts and autoscalers."""
