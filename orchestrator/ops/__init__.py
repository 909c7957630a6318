"""What ops do with the orchestrator: check that every tier can be used, steer practice providers."""
