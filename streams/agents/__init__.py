"""The Kafka edge: one thin file for each hop."""
