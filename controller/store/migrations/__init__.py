"""How does an older database become today's? Alembic revisions; ``Database.migrate`` runs them."""
