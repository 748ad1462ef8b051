"""Transactions in flight on the source: whoever may still commit a row below a position that was seen.

A row carries the time its transaction began, or a number drawn from a sequence, and becomes visible when the
transaction commits: maybe after rows with higher values. The rule that loses none of them, see decision 0009:

1. Read `m`, the highest value visible. 2. Then list the transactions in flight, `T`. 3. Then read rows.

Whoever commits a row below `m` later drew its value before 1, so the transaction had begun by then: it is in
`T`, or had committed before 2 and is seen by 3. So nothing below `m` is missing once a read began after
all of `T` had ended: that read may make `m` the watermark, having begun at the old one itself.

Virtual transaction ids need no privilege to see, and every transaction has one from its begin, before it
writes. A prepared transaction gives its up: it is looked for by its identifier, after the virtual ones, so
that one being prepared meanwhile is found in one of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import tuple_row

from windlass.warehouse.incremental.model import Transaction
from windlass.warehouse.incremental.state import Pending
from windlass.warehouse.load.table import PgConnection

__all__ = ["InFlight", "Own", "is_standby", "list_in_flight", "own_transaction", "remaining"]

# Sessions are told as they were when a transaction first asked, unless it asks anew.
_FORGET = "select pg_stat_clear_snapshot()"
# Who is in no database (yet) writes no rows: the launchers, and a session that is only starting. A vacuum
# stands in no transaction block, so its transaction writes none either. Which sessions are background
# workers, and since when a transaction runs, is hidden from roles without pg_read_all_stats.
_VIRTUAL = """
select
    l.virtualxid, l.pid, to_jsonb(a.xact_start) #>> '{}', nullif(a.application_name, ''), a.usename, a.state
from pg_locks as l
left join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'virtualxid' and l.mode = 'ExclusiveLock' and l.granted
and l.pid <> pg_backend_pid()
and (a.pid is null or a.datid = (select oid from pg_database where datname = current_database()))
and a.backend_type is distinct from 'autovacuum worker'
and not exists (select from pg_stat_progress_vacuum as v where v.pid = l.pid)
order by a.xact_start, l.pid
"""
_PREPARED = """
select gid, to_jsonb(prepared) #>> '{}', owner from pg_prepared_xacts
where database = current_database() order by prepared
"""
_SERVER = "select extract(epoch from pg_postmaster_start_time())::text, current_database()"
_OWN = """
select l.virtualtransaction, l.pid, extract(epoch from pg_postmaster_start_time())::text, current_database()
from pg_locks as l where l.locktype = 'virtualxid' and l.pid = pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Own:
    """The transaction that loads, so that it is not taken for a writer of the source.

    Its server is told by when it started, to the microsecond: addresses differ behind proxies.
    """

    name: str
    pid: int
    server_started: str
    database: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """The transactions of one database that had not ended at one time.

    Attributes:
        server_started: When the server was started, seconds of Unix time.
        virtual: Those with a session, oldest first.
        prepared: Prepared ones, oldest first.
    """

    server_started: str
    virtual: tuple[Transaction, ...]
    prepared: tuple[Transaction, ...]

    def pending(self, position: str) -> Pending | None:
        """What makes a position wait, None when nothing is in flight."""
        if not self.virtual and not self.prepared:
            return None
        virtual, prepared = (tuple(each.name for each in kind) for kind in (self.virtual, self.prepared))
        return Pending(position, self.server_started, virtual, prepared)

    def named_by(self, pending: Pending) -> tuple[Transaction, ...]:
        """Those that a pending position waits for; the oldest first, as far as it is known."""
        same_server = pending.server_started == self.server_started
        found = [each for each in self.prepared if each.name in pending.prepared]
        found += [each for each in self.virtual if same_server and each.name in pending.transactions]
        return tuple(sorted(found, key=lambda each: (each.since is None, each.since or "")))


def own_transaction(connection: PgConnection) -> Own | None:
    """The current transaction of the connection that loads."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_OWN).fetchone()
    return Own(*found) if found else None


def is_standby(origin: PgConnection) -> bool:
    """Whether the server only replays another's transactions, whose begin it cannot see."""
    with origin.cursor(row_factory=tuple_row) as cursor:
        (found,) = cursor.execute("select pg_is_in_recovery()").fetchone() or (True,)
        return bool(found)


def list_in_flight(origin: PgConnection, *, own: Own | None) -> InFlight:
    """The transactions in flight in the source's database, without our own.

    Args:
        origin: Connection to the source.
        own: The transaction of the connection to the warehouse, which may be the same database.
    """
    with origin.cursor(row_factory=tuple_row) as cursor:
        (started, database) = cursor.execute(_SERVER).fetchone() or ("", "")
        cursor.execute(_FORGET)
        ours = own is not None and (own.server_started, own.database) == (started, database)
        virtual = tuple(
            Transaction(name, False, *rest)
            for name, *rest in cursor.execute(_VIRTUAL)
            if not (ours and own is not None and (own.name, own.pid) == (name, rest[0]))
        )
        prepared = tuple(
            Transaction(name, prepared=True, since=since, role=role)
            for name, since, role in cursor.execute(_PREPARED)
        )
    return InFlight(started, virtual, prepared)


def remaining(pending: Pending, now: InFlight) -> Pending | None:
    """What a pending position still waits for, None when all of it has ended.

    A transaction whose virtual id is gone may have been prepared meanwhile, under an identifier that nobody
    knew: then all that are prepared now are waited for in its place.
    """
    there = {each.name for each in now.virtual} if pending.server_started == now.server_started else set()
    virtual = tuple(name for name in pending.transactions if name in there)
    some_gone = len(virtual) < len(pending.transactions)
    prepared = tuple(each.name for each in now.prepared if some_gone or each.name in pending.prepared)
    if not virtual and not prepared:
        return None
    return Pending(pending.position, now.server_started, virtual, prepared)
