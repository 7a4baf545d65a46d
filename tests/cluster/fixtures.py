"""The fixtures `cluster` and `namespace`, and pytest-kind's `kind_cluster` with our kind, kubectl and node image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the imports cost time that tests without a cluster need not spend
    from .builder.lifecycle import Ready
    from .namespace import Namespace
    from .session import Cluster


@pytest.fixture(scope="session")
def ready_cluster(request: pytest.FixtureRequest) -> Ready:
    """Build what is missing and make the cluster, or reuse it; xdist's workers come here one after the other."""
    from .builder import lifecycle
    from .builder.places import CLUSTER_NAME

    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():  # progress shall be seen
        ready = lifecycle.ensure()
    option = request.config.option
    option.cluster_name = CLUSTER_NAME
    option.keep_cluster = True  # other workers use it too, and the next run is quicker; ./scripts/cluster down ends it
    option.kubeconfig = str(ready.kind.kubeconfig_path)
    option.kind_image = ready.source.node_image
    option.kind_bin = str(ready.source.kind)
    option.kind_kubectl_bin = str(ready.source.kubectl)
    return ready


@pytest.fixture(scope="session")
def kind_cluster(ready_cluster: Ready, kind_cluster: Any) -> Any:  # noqa: ARG001 - it sets the options of the other
    """Give pytest-kind's own fixture, once its options are set."""
    return kind_cluster


@pytest.fixture(scope="session")
def cluster(ready_cluster: Ready, kind_cluster: Any) -> Cluster:
    """Give the cluster with Tekton, the runner's image and kubectl."""
    from .session import Cluster

    return Cluster(ready_cluster, kind_cluster)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """Give a fresh `restricted` namespace with a simulated service of its own."""
    with cluster.fresh_namespace() as fresh:
        yield fresh
