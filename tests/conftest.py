"""What tests on real parts share: one broker for the whole run, an installation for each test."""

from hypothesis import settings

# How long an example takes says more of what else the machine does than of us.
settings.register_profile("tocsin", deadline=None)
settings.load_profile("tocsin")

pytest_plugins = ["tests.brokers", "tests.installations"]
