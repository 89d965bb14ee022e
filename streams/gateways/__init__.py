"""Every edge that is not Kafka consumption: HTTP, SMTP, ClickHouse, the clock."""
