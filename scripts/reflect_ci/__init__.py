"""reflect_ci: run Reflect suites from CI and turn the verdict into an exit code."""

__version__ = "0.1.0"
