"""Stage 1: what producers publish becomes signals."""
