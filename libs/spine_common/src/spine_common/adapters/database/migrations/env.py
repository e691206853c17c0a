"""Alembic's environment: the connection comes from the caller."""

from alembic import context

from spine_common.adapters.database.datatables import data_metadata
from spine_common.adapters.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[metadata, data_metadata],
    render_as_batch=False,
    compare_type=False,
)
with context.begin_transaction():
    context.run_migrations()
