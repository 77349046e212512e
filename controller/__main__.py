"""`python -m controller` is the command `tongdai`."""

from controller.cli import app

if __name__ == "__main__":
    app()
