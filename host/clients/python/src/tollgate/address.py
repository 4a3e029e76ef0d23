"""Where the service is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    tls: bool
    #: What comes before every path, without a slash at its end.
    prefix: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def address(url: Optional[str]) -> Address:
    """Reads a URL; where there is none, ``TOLLGATE_URL`` from the environment, or this machine."""
    url = url or os.environ.get("TOLLGATE_URL") or DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"the service's URL must begin with http:// or https://, not {url!r}")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("the service's URL must not have a user, a query or a fragment")
    tls = parts.scheme == "https"
    return Address(
        parts.hostname, parts.port or (443 if tls else 80), tls, parts.path.rstrip("/")
    )
