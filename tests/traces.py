"""A collector of traces, as OpenTelemetry's exporters reach it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class TraceReceiver:
    """What an OpenTelemetry collector was sent."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.spans: list[tuple[str, str, str]] = []  # service, trace id and name

    def add(self, body: bytes) -> None:
        """Take in an export request of OTLP over HTTP."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace = span.trace_id.hex()
                    self.spans.append((attributes["service.name"], trace, span.name))

    def of(self, trace_id: str) -> set[tuple[str, str]]:
        """What the services did in a trace: pairs of service and name."""
        return {(service, name) for service, trace, name in self.spans if trace == trace_id}


@contextmanager
def trace_receiver() -> Iterator[TraceReceiver]:
    """A collector of traces on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            encoding = self.headers.get("Content-Encoding")
            receiver.add(gzip.decompress(body) if encoding == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = TraceReceiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()
