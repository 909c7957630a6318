"""The ways out of the process, and what providers tell of themselves."""
