"""The database is the truth: its rooms commit together or not at all."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from spine_common.framework.ports.audit import Audit
from spine_common.framework.ports.data import Captures, Evidence, Manifest, Tables
from spine_common.framework.ports.deadletters import DeadLetters
from spine_common.framework.ports.ledger import Ledger, Outbox
from spine_common.framework.ports.overdue import Overdue
from spine_common.framework.ports.queries import Queries


class Transaction(Protocol):
    """One transaction: all of its rooms commit together or not at all."""

    ledger: Ledger
    outbox: Outbox
    captures: Captures
    manifest: Manifest
    tables: Tables
    evidence: Evidence
    dead_letters: DeadLetters
    queries: Queries
    overdue: Overdue
    audit: Audit

    async def now(self) -> datetime:
        """Return the database's time, UTC."""


class Database(Protocol):
    """Where the truth is kept."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a writing transaction; it commits when the block ends and rolls back if it raises.

        Raises ``DatabaseUnavailable`` when the database does not answer.
        """

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that only reads."""

    def leading(self, office: str) -> AbstractAsyncContextManager[bool]:
        """Hold an office while the block runs: False for all but one of those who ask.

        It is only for not doing the same work side by side; what is written under it must be
        right even if two lead. Keep the block under a minute.
        """

    async def check(self) -> None:
        """Raise ``DatabaseUnavailable`` unless the database answers and its schema is current."""

    async def close(self) -> None:
        """Give every connection back."""
