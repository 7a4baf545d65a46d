"""Builds and runs the kind cluster that the Tekton tests need; `python -m tests.cluster.builder` is ./scripts/cluster."""
