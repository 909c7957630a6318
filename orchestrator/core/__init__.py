"""The words that everybody uses: no decisions, and no way to a provider or a file."""
