"""The story of the demo: a stage with practice providers, and acts that claim only what happened."""
