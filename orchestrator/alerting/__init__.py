"""Alerts by rules: when one is due, in which words, and over which channels it goes out."""
