"""The words that every part uses: no decisions, and no way to a provider or a file."""
