"""How schemathesis writes and reads what it does not know by itself."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.deserializer("application/octet-stream")
def octets(ctx, response):
    return response.content.decode("latin-1")


@schemathesis.hook
def filter_headers(ctx, headers):
    """Blanks around a header's value are no part of it (RFC 9110, 5.5): a server never sees them."""
    return not headers or all(value == value.strip(" \t") for value in headers.values())
