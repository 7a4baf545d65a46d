"""Fixtures that tests of every folder may ask for."""

from __future__ import annotations

from tests.cluster.fixtures import cluster, kind_cluster, namespace, ready_cluster

__all__ = ["cluster", "kind_cluster", "namespace", "ready_cluster"]
