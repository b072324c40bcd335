"""The rollout of one Rollout: from an Observation to a Decision."""
