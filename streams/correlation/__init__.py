"""Stage 3: alerts to incidents."""
