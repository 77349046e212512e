"""The cellar: the books of the controller in SQLite or PostgreSQL. The only room that knows SQL."""
