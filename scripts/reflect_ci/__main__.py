"""`python -m reflect_ci`."""

from reflect_ci.cli import entry

if __name__ == "__main__":
    entry()
