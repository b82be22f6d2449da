"""Where does intent live? The relational store: schema, migrations, transactions and loaders."""
