"""What travels between the hops: messages and topics, no logic."""
