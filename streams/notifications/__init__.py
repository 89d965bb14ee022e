"""Stage 6: steps to what is told to whom."""
