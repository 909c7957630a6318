"""Measure, then switch: data sets, scorers, evaluations that go on where they stopped, and policies."""
