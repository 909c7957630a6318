"""Experiments: a candidate beside or instead of what answers, compared, promoted or rolled back."""
