"""The intake as an ASGI application: addresses, and their description."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response, status
from fastapi.responses import JSONResponse

from streams.board.headers import SafeHeaders
from streams.intake.addresses import FIXED, SIGNALS, Address
from streams.intake.taking import Intake

_DESCRIPTION: Final = """\
Where telemetry is posted. Each address takes what its publishers send, gzip or not, and answers once the broker has confirmed all of it.

A refusal names the field, and what it must be."""
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    status.HTTP_400_BAD_REQUEST: {"description": "It is wrong, and would be so again"},
    status.HTTP_401_UNAUTHORIZED: {"description": "Without a valid token or signature"},
    status.HTTP_413_CONTENT_TOO_LARGE: {"description": "It is larger than is read"},
    status.HTTP_415_UNSUPPORTED_MEDIA_TYPE: {"description": "It is packed or written otherwise"},
    status.HTTP_429_TOO_MANY_REQUESTS: {"description": "Too much at once: to be sent again"},
    status.HTTP_503_SERVICE_UNAVAILABLE: {"description": "Not now: to be sent again"},
}
_NO_TRACES: Final = "traces are not read: export metrics to /v1/metrics and logs to /v1/logs"


_ELSEWHERE: Final = "there is nothing here: /openapi.json lists the addresses"
_ONLY_POSTS: Final = "telemetry is posted here: send it with POST"


def application(intake: Intake) -> FastAPI:
    """Return what gives *intake* what is posted."""
    app = FastAPI(
        title="Tocsin intake",
        version=version("tocsin"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(SafeHeaders)

    def add(path: str, endpoint: Callable[..., Awaitable[Response]], summary: str) -> None:
        app.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            summary=summary,
            responses=_ANSWERS,
            response_class=Response,
        )

    def taking(address: Address) -> Callable[[Request], Awaitable[Response]]:
        async def take(request: Request) -> Response:
            return await intake.answer(request, address)

        return take

    async def traces(request: Request) -> Response:
        media_type = request.headers.get("content-type", "")
        answers = FIXED["/v1/metrics"].answers(media_type)
        return answers.refused(status.HTTP_404_NOT_FOUND, _NO_TRACES, {})

    async def signals(name: str, request: Request) -> Response:
        address = SIGNALS.get(name)
        if address is None:
            message = f"there is nothing of this name: there are {', '.join(sorted(SIGNALS))}"
            return JSONResponse({"detail": message}, status.HTTP_404_NOT_FOUND)
        return await intake.answer(request, address)

    @app.exception_handler(status.HTTP_404_NOT_FOUND)
    async def elsewhere(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"detail": _ELSEWHERE}, error.status_code)

    @app.exception_handler(status.HTTP_405_METHOD_NOT_ALLOWED)
    async def otherwise(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"detail": _ONLY_POSTS}, error.status_code, error.headers)

    for path, address in FIXED.items():
        add(path, taking(address), f"{address.topic.about.rstrip('.')}, as {address.format}")
    add("/v1/traces", traces, "Nothing: traces are not read")
    add("/v1/signals/{name}", signals, "Telemetry, by what it is or by its format")
    return app
