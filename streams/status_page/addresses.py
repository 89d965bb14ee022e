"""
Which page stands where: one board can serve the pages of several tenants.

The page of ``status_page`` stands under ``/status`` and at the root, the others under ``/status/TENANT``. A page whose ``url`` has no path
stands at the root of its host. At a host that pages have as theirs, nothing but those pages is shown.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from streams.status_page.settings import StatusPage


def page_at(
    first: StatusPage | None, further: Mapping[str, StatusPage], host: str, tenant: str | None
) -> StatusPage | None:
    """
    Return the page that somebody asks for at *host*; None where there is none.

    *tenant* is what stands in the address; None where nothing does. *first* is the page of ``status_page``, *further* has those of ``status_pages``.
    """
    pages = [*([first] if first else []), *further.values()]
    theirs = [each for each in pages if each.host == host] if host else []
    if tenant is not None:
        asked = next((each for each in pages if each.tenant == tenant), None)
    else:
        at_root = [each for each in theirs if not urlsplit(each.url).path]
        asked = at_root[0] if at_root else first
    return asked if not theirs or asked in theirs else None
