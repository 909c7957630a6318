"""The chains of this project."""
