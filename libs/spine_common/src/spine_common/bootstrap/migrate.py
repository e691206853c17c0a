"""The database's schema, seen from the command line: migrate, status, reset."""

from spine_common.adapters.database import migrate as _migrate
from spine_common.adapters.database import roles as _roles
from spine_common.adapters.database.datatables import data_table
from spine_common.framework.registry import discover


def declare_data_tables() -> None:
    """Derive the table of every discovered dataset, so that migrations and queries know them."""
    for domain in discover().domains.values():
        for dataset in domain.datasets:
            data_table(dataset)


async def migrate(url: str) -> str:
    """Bring the database at ``url`` to this release's revision and return the revision."""
    declare_data_tables()
    return await _migrate.upgrade(url)


async def status(url: str) -> tuple[str | None, str]:
    """Return the database's revision (None for an empty one) and the one this release needs."""
    return await _migrate.status(url)


async def reset(url: str) -> str:
    """Drop every table of ours, data included, and migrate afresh."""
    declare_data_tables()
    await _migrate.reset(url)
    return await _migrate.upgrade(url)


async def grant(url: str, role: str) -> None:
    """Let an existing role do what the services do, and no more: the ledger only grows."""
    declare_data_tables()
    await _roles.grant(url, role)
