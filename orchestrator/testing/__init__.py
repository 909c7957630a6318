"""For the tests of whoever builds on the orchestrator: a pytest plugin, and what its fixtures give."""
