"""The controller application: intent in a database, flows and rows on switches."""
