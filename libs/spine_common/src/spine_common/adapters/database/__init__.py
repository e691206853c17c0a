"""The database port on SQLAlchemy Core: SQLite through aiosqlite, PostgreSQL through asyncpg."""
