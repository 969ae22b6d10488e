"""The servers that a configuration leads to, and what is wrong on the way there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import _core
from ._config import to_core
from ._servers import parse_node
from ._symptoms import Finding
from .errors import ConfigError, RedisError
from .options import RedisOptions

__all__ = ["Route", "SlotRange", "ask", "failure_of", "find_servers", "read_slots"]
__all__ += ["symptoms_of_sentinel", "symptoms_of_slots", "symptoms_of_votes"]

_SLOTS = 16384
_START = "start it, or leave it out of the configuration"

Address = tuple[str, int]


def ask(server: RedisOptions, commands: Sequence[Sequence[str]]) -> list[Any]:
    """The replies of one server or sentinel, on a connection made for them; errors are among them.

    Raises RedisError where there is no connection, and ConfigError.
    """
    return _core.query_redis(to_core(server), commands)


@dataclass
class Route:
    """What was found on the way to `servers`, each of them one node, and who was asked there."""

    servers: list[RedisOptions] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    asked: dict[str, bool] = field(default_factory=dict)  # whether it is there, by address


def failure_of(error: RedisError | ConfigError) -> tuple[Finding, bool]:
    """A server that cannot be used, and whether that is because it is away."""
    if isinstance(error, ConfigError):
        return Finding("configuration", "problem", str(error)), False
    kind, _, reason = str(error).partition(": ")
    if kind == "auth":
        advice = "give the user and password of the server"
        return Finding("connection", "problem", f"refused: {reason}", advice), False
    return Finding("connection", "problem", f"{kind}: {reason}"), True


def find_servers(redis: RedisOptions) -> Route:
    """Whom the caches made with `redis` write to. Raises ConfigError for an address that is none.

    Of a cluster those are the primaries that the first node to answer names; of sentinels the one
    that most of them name.
    """
    if redis.shards:
        waits: dict[str, Any] = {"timeout": redis.timeout, "connect_timeout": redis.connect_timeout}
        return Route([replace(shard, **waits) for shard in redis.shards])
    if redis.service:
        return _named_by_sentinels(redis)
    return _primaries(redis) if redis.nodes else Route([redis])


def _at(redis: RedisOptions, host: str, port: int) -> RedisOptions:
    """The options of one node of those."""
    return replace(
        redis,
        host=host,
        port=port,
        nodes=(),
        service="",
        sentinel_username="",
        sentinel_password="",
        replicas=False,
    )


def _note_failure(route: Route, server: RedisOptions, error: RedisError | ConfigError) -> None:
    finding, is_away = failure_of(error)
    advice = _START if is_away else finding.advice
    route.findings.append(replace(finding, advice=advice, server=server.address))
    route.asked[server.address] = not is_away


# Of a cluster


@dataclass(frozen=True)
class SlotRange:
    """Slots that lie together, and who has them: the primary, then its replicas."""

    first: int
    last: int
    servers: tuple[Address, ...]


def read_slots(reply: Any, host: str) -> list[SlotRange]:
    """The reply to CLUSTER SLOTS of the node at `host`. Raises ValueError if it is none."""
    try:
        rows = sorted((int(first), int(last), servers) for first, last, *servers in reply)
        if any(not 0 <= first <= last < _SLOTS for first, last, _ in rows):
            raise ValueError
        return [
            SlotRange(first, last, tuple(_address(server, host) for server in servers))
            for first, last, servers in rows
        ]
    except (TypeError, ValueError, IndexError, AttributeError):
        raise ValueError("no reply to CLUSTER SLOTS") from None


def _address(server: Sequence[Any], host: str) -> Address:
    named = server[0].decode() if server[0] else ""
    return (host if named in ("", "?") else named), int(server[1])


def _primaries(redis: RedisOptions) -> Route:
    route = Route()
    for node in redis.nodes:
        host, port = parse_node(node, 6379)
        seed = _at(redis, host, port)
        try:
            (reply,) = ask(seed, [["CLUSTER", "SLOTS"]])
        except (RedisError, ConfigError) as error:
            _note_failure(route, seed, error)
            continue
        route.asked[seed.address] = True
        try:
            ranges = read_slots(reply, host)
        except ValueError:
            route.findings.append(_no_slots(reply, seed))
            if _is_refused(reply):  # it is a node, and what else is refused can be said
                route.servers.append(seed)
            continue
        route.findings += symptoms_of_slots(ranges)
        primaries = dict.fromkeys(range_.servers[0] for range_ in ranges if range_.servers)
        found = [_at(redis, *primary) for primary in primaries] or [seed]
        route.servers = [one for one in found if route.asked.get(one.address, True)]
        break
    return route


def _is_refused(reply: Any) -> bool:
    return isinstance(reply, RedisError) and str(reply).startswith("NOPERM")


def _no_slots(reply: Any, seed: RedisOptions) -> Finding:
    text = str(reply) if isinstance(reply, RedisError) else "what answers is no Redis"
    advice = "name a node of a cluster, or use redis:// for a server that is none"
    if _is_refused(reply):
        advice = "let the user run +cluster|slots"
    return Finding("slots", "problem", f"not told: {text}", advice, seed.address)


def symptoms_of_slots(ranges: Sequence[SlotRange]) -> Iterator[Finding]:
    replicas: dict[Address, int] = {}
    covered: set[int] = set()
    for each in ranges:
        if each.servers:
            covered.update(range(each.first, each.last + 1))
            replicas[each.servers[0]] = len(each.servers) - 1
    if len(covered) < _SLOTS:
        yield Finding(
            "slots", "problem", f"{_SLOTS - len(covered)} of {_SLOTS} slots belong to no server",
            "give them to one: redis-cli --cluster fix HOST:PORT",
        )  # fmt: skip
    else:
        yield Finding("slots", "ok", f"all {_SLOTS} slots, on {len(replicas)} primaries")
    bare = [_shown(primary) for primary, count in replicas.items() if count == 0]
    if bare:
        yield Finding(
            "replicas", "advice", f"none of {', '.join(bare)}: its slots are away when it is",
            "give each primary a replica: redis-cli --cluster add-node … --cluster-slave",
        )  # fmt: skip
    elif replicas:
        yield Finding("replicas", "ok", f"{sum(replicas.values())}, and each primary has one")


def _shown(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# Of sentinels


def _named_by_sentinels(redis: RedisOptions) -> Route:
    route = Route()
    votes: dict[Address, list[str]] = {}
    user, password = redis.sentinel_username, redis.sentinel_password
    for node in redis.nodes:
        sentinel = _at(redis, *parse_node(node, 26379))
        sentinel = replace(sentinel, db=0, username=user, password=password)
        questions = (["GET-MASTER-ADDR-BY-NAME"], ["SENTINELS"])
        try:
            named, others = ask(sentinel, [["SENTINEL", *q, redis.service] for q in questions])
        except (RedisError, ConfigError) as error:
            _note_failure(route, sentinel, error)
            continue
        route.asked[sentinel.address] = True
        found = symptoms_of_sentinel(redis.service, named, others, len(redis.nodes))
        route.findings += [replace(one, server=sentinel.address) for one in found]
        if primary := _primary(named):
            votes.setdefault(primary, []).append(_shown((sentinel.host, sentinel.port)))
    route.findings.append(symptoms_of_votes(votes))
    # As the core has it: of equal ones the first in order.
    best = sorted(votes, key=lambda address: (-len(votes[address]), address))
    route.servers = [_at(redis, *address) for address in best[:1]]
    return route


def _primary(named: Any) -> Address | None:
    try:
        host, port = named
        return host.decode(), int(port)
    except (TypeError, ValueError, AttributeError):
        return None


def symptoms_of_votes(votes: Mapping[Address, Sequence[str]]) -> Finding:
    """`votes`: the sentinels that name each primary."""
    said = "; ".join(f"{_shown(at)} by {', '.join(who)}" for at, who in votes.items())
    if not votes:
        return Finding(
            "primary", "problem", "no sentinel names one",
            "have the sentinels watch it: sentinel monitor SERVICE HOST PORT QUORUM",
        )  # fmt: skip
    if len(votes) > 1:
        return Finding(
            "primary", "problem", f"the sentinels do not agree: {said}",
            "if it lasts, see whether they reach each other; those left behind need SENTINEL RESET",
        )  # fmt: skip
    return Finding("primary", "ok", said)


def symptoms_of_sentinel(service: str, named: Any, others: Any, given: int) -> Iterator[Finding]:
    """Replies of one of `given` sentinels about the primary and about the other sentinels."""
    refused = [
        command
        for command, reply in (("GET-MASTER-ADDR-BY-NAME", named), ("SENTINELS", others))
        if _is_refused(reply)
    ]
    if refused:
        yield Finding(
            "user", "problem", f"may not run: SENTINEL {', SENTINEL '.join(refused)}",
            "define the user of the sentinels as cpp/l2/README.md has it",
        )  # fmt: skip
    if isinstance(named, RedisError):
        if not _is_refused(named):
            yield Finding(
                "sentinel", "problem", f"not one: {str(named).partition(', with')[0]}",
                "name sentinels, or use redis:// for a server",
            )  # fmt: skip
    elif _primary(named) is None:
        yield Finding(
            "sentinel", "problem", f"knows no service {service!r}",
            "name the service that it watches, or have it watch this one",
        )  # fmt: skip
    elif isinstance(others, list):
        yield _company(others, given)


def _company(others: Sequence[Any], given: int) -> Finding:
    rows = [dict(zip(row[::2], row[1::2], strict=False)) for row in others if isinstance(row, list)]
    down = [row for row in rows if b"s_down" in row.get(b"flags", b"").split(b",")]
    text = f"one of {len(others) + 1} that know each other"
    if down:
        parts = [
            [row.get(name, b"?").decode("latin-1") for name in (b"ip", b"port")] for row in down
        ]
        names = ", ".join(":".join(part) for part in parts)
        return Finding("sentinel", "problem", f"{text}, but takes as away: {names}", "start them")
    if len(others) + 1 < given:
        return Finding(
            "sentinel", "problem", f"{text}; {given} are named",
            "have all watch the same primary, and let them reach each other",
        )  # fmt: skip
    if len(others) + 1 > given:
        return Finding("sentinel", "advice", f"{text}; {given} are named", "name them all")
    return Finding("sentinel", "ok", text)
