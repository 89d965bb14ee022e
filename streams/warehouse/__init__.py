"""Steps become rows, rows become reports. SQL and parameters are data here; ``gateways/clickhouse.py`` runs them."""
