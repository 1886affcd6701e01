"""The web pages: static files, which ask of the service what anyone can ask."""

from fastapi import FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDERS: list[str | tuple[str, str]] = [
    ("service", "pages"),
    ("plotly", "package_data"),
    ("fastapi_swagger", "resources"),
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-cache",  # asked for again by ETag: an upgrade shows at once
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Pages(StaticFiles):
    """Files of ours and of installed packages, which may run nothing but each other."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def install(app: FastAPI) -> None:
    """Serve the pages at / and /docs, what they load under /pages."""
    files = Pages(packages=FOLDERS)
    app.mount("/pages", GZipMiddleware(files, minimum_size=1 << 10, compresslevel=6), "pages")

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return await files.get_response("docs.html", request.scope)
