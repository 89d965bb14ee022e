"""What is said of a server's certificate that is not trusted, in terms of the settings that decide it."""

import ssl
from typing import Final

#: OpenSSL's numbers of what is wrong with a certificate.
_EXPIRED, _NOT_YET = 10, 9
_OTHER_NAME, _OTHER_ADDRESS = 62, 64
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})


def tls_failure(error: BaseException) -> ssl.SSLError | None:
    """Return what TLS said, where that is why *error* was raised."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause


def why_distrusted(
    error: ssl.SSLCertVerificationError, *, address: str, authorities: str, given: bool
) -> str:
    """
    Return what the server shows.

    Args:
        error: What TLS says of it.
        address: The setting that names the server.
        authorities: The setting that names a file with the authorities that are trusted.
        given: Whether it does.
    """
    if error.verify_code in {_OTHER_NAME, _OTHER_ADDRESS}:
        return f"shows a certificate for other names: name it in {address} as its certificate does"
    if error.verify_code in {_EXPIRED, _NOT_YET}:
        when = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return f"shows a certificate that {when}: it has to be renewed, or a clock is wrong"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        where = (
            f"the file of {authorities} does not hold: add it there"
            if given
            else f"this machine does not know: name a PEM file with that authority by {authorities}"
        )
        return f"shows a certificate of an authority that {where}"
    return f"shows a certificate that cannot be trusted ({error.verify_message})"
