"""On which connection do the migrations run? On the one ``Database.migrate`` holds, inside its transaction."""

from alembic import context

from controller.store.metadata import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
