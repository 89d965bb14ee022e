"""Stage 4: the life of an incident."""
