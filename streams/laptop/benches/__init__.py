"""Measurements: each prints one JSON object a line, and a summary with its targets as the last."""
