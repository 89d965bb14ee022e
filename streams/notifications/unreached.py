"""Routes that never add anybody, because another one tells all whom they would tell."""

from typing import Final

from streams.notifications.routing import Route

#: Settings that are compared by what they let through; all others must be the same.
_COMPARED: Final = frozenset({"severities", "services", "purposes", "channels"})


def tells_all(wide: Route, narrow: Route) -> bool:
    """Whether *wide* tells every channel of *narrow* whenever that fits."""
    services = not wide.services or (
        bool(narrow.services) and {*narrow.services} <= {*wide.services}
    )
    return (
        services
        and {*narrow.severities} <= {*wide.severities}
        and {*narrow.purposes} <= {*wide.purposes}
        and {*narrow.channels} <= {*wide.channels}
        and wide.model_dump(exclude={*_COMPARED}) == narrow.model_dump(exclude={*_COMPARED})
    )
