"""Several Redis servers in one URL: the nodes of a cluster, or sentinels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._messages import shown
from .errors import ConfigError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["SERVERS_QUERY", "check_nodes", "parse_node", "servers_of_url", "shown_nodes"]

SERVERS_QUERY: dict[str, dict[str, type]] = {
    "cluster": {"replicas": bool},
    "sentinel": {"sentinel_username": str, "sentinel_password": str},
}
_PORTS = {"cluster": 6379, "sentinel": 26379}
_MAX_PORT = 65535


def parse_node(text: object, port: int) -> tuple[str, int]:
    """Host and port of `HOST`, `HOST:PORT` or `[IPV6]:PORT`; `port` where there is none."""
    problem = f"node {shown(text)}: allowed is HOST, HOST:PORT or [IPV6]:PORT"
    if not isinstance(text, str) or "\0" in text:
        raise ConfigError(problem)
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ConfigError(problem)
        digits = rest[1:] if rest else str(port)
    else:
        host, colon, digits = text.partition(":")
        digits = digits if colon else str(port)
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0
    if not host or not 1 <= number <= _MAX_PORT:
        raise ConfigError(problem)
    return host, number


def check_nodes(nodes: object) -> None:
    """Raises ConfigError unless it is a tuple of nodes."""
    if not isinstance(nodes, tuple):
        raise ConfigError(f"nodes={shown(nodes)}: allowed is a tuple of HOST:PORT")
    for node in nodes:
        parse_node(node, _PORTS["cluster"])


def shown_nodes(nodes: tuple[str, ...]) -> str:
    return ",".join(nodes)


def servers_of_url(parts: SplitResult) -> dict[str, Any]:
    """The options that a URL of several servers names; not its credentials and query."""
    from urllib.parse import unquote

    scheme, _, kind = parts.scheme.lower().partition("+")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    nodes = []
    for text in hosts:
        host, number = parse_node(unquote(text), _PORTS[kind])
        nodes.append(f"[{host}]:{number}" if ":" in host else f"{host}:{number}")
    options: dict[str, Any] = {"nodes": tuple(nodes), "tls": scheme == "rediss"}
    path = [unquote(part) for part in parts.path.split("/")[1:] if part]
    if kind == "cluster" and path not in ([], ["0"]):
        raise ConfigError(f"db={shown(path[0])}: a cluster has database 0 only")
    if kind == "sentinel":
        if not path:
            raise ConfigError("no service; allowed is redis+sentinel://HOST:PORT,…/SERVICE[/DB]")
        options["service"] = path[0]
        if len(path) > 1:
            options["db"] = path[1]
    return options
