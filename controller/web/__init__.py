"""The parlour: people look in and ask. The only room that knows FastAPI and pydantic."""
