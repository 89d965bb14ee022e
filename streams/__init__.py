"""Tocsin: telemetry in, incidents out."""
