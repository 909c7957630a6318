"""The demo's story: a stage with practice providers, and acts whose every claim is computed from what happened."""
