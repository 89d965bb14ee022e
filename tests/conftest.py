"""What tests on real parts share: one broker for the whole run, an installation for each test."""

pytest_plugins = ["tests.brokers", "tests.installations"]
