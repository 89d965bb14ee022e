"""How much of a request is read: more is refused before it is in memory."""

from typing import Final

from fastapi import HTTPException, Request, status

#: No provider sends more (Slack's payloads and PagerDuty's events are a few KiB).
BODY_BYTES: Final = 256 * 1024


async def bounded_body(request: Request) -> bytes:
    """
    Return the body of *request*.

    Raises:
        HTTPException: 413, it is larger than is read.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise HTTPException(
                status.HTTP_413_CONTENT_TOO_LARGE, f"at most {BODY_BYTES} bytes are read"
            )
    return body
