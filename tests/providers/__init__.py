"""
Providers, as strict as their documentation: one file for each channel.

Each has ``answer``: it checks a request's address, credentials, types and limits, and answers as the provider does.
"""

import importlib
from collections.abc import Callable

from streams.laptop.receivers import Answer, Posted

#: What a provider answers to a request.
Provider = Callable[[Posted], Answer]


def provider_of(kind: str) -> Provider:
    return importlib.import_module(f"tests.providers.{kind}").answer
