"""What every test shares. Plugins are named here because pytest takes them only from the top-level conftest."""

pytest_plugins = ["tests.skips"]
