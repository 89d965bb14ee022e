"""The demo: a real service, really broken, watched by the whole pipeline."""
