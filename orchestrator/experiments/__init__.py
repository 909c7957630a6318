"""Experiments: a candidate beside or instead of what answers, compared at any moment, promoted or rolled back."""
