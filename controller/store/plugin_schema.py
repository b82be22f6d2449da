"""How is what engines of plug-ins tell laid out? One row a plug-in; written by the controller process only."""

from sqlalchemy import BigInteger, Column, String, Table, Text

from controller.store.schema import METADATA

PLUGIN_STATES = Table(
    "plugin_states",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("condition", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("versions", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
