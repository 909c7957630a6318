"""Requests that have ended: looked for, shown with their reasons, judged by those who read the answers."""
