"""The pieces that the cluster is put together from, each by itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from deliver.image_archive import Entry, Image, folder_entries, write_archive
from tests.cluster.builder import gomodules, places, progress, tekton
from tests.cluster.memory import memory_group, working_set
from tests.cluster.relay import relay


def test_a_key_is_of_names_and_contents(tmp_path: Path) -> None:
    """A copy elsewhere with other times has the same key; another content or name has another."""
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "sub").mkdir(parents=True)
    (one / "sub" / "a").write_text("x")
    shutil.copytree(one, two)
    os.utime(two / "sub" / "a", (1, 1))
    assert places.fingerprint(one) == places.fingerprint(two)
    (two / "sub" / "a").write_text("y")
    assert places.fingerprint(one) != places.fingerprint(two)
    (two / "sub" / "a").write_text("x")
    (two / "sub" / "a").rename(two / "sub" / "b")
    assert places.fingerprint(one) != places.fingerprint(two)


def test_the_cache_is_outside_of_the_clone_with_and_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder follows REFLECT_CI_CACHE, XDG_CACHE_HOME, HOME and the user's entry, in this order."""
    for name in ("REFLECT_CI_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert places.cache().is_absolute()
    assert places.ROOT not in places.cache().parents
    assert places.environment()["HOME"] == str(places.home())
    monkeypatch.setenv("HOME", "/h")
    assert places.cache() == Path("/h/.cache/reflect-ci-catalog")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert places.cache() == Path("/x/reflect-ci-catalog")
    monkeypatch.setenv("REFLECT_CI_CACHE", "/r")
    assert places.cache() == Path("/r")


def test_every_module_is_pinned_and_built() -> None:
    """Each folder of modules/ has a key, pinned versions with their sums, and the versions that the code names."""
    assert {path.name for path in places.MODULES.iterdir()} == set(gomodules.ALL)
    for module in gomodules.ALL.values():
        text = (module.folder / "go.mod").read_text()
        assert len(module.key) == 12
        assert (module.folder / "go.sum").exists() or "require" not in text
    for name, needle in (
        ("kubernetes", f"k8s.io/kubernetes {places.KUBERNETES_VERSION}"),
        ("kind", f"sigs.k8s.io/kind {places.KIND_VERSION}"),
        ("tekton-pipeline", f"github.com/tektoncd/pipeline {places.PIPELINE_VERSION}"),
        ("tekton-triggers", f"github.com/tektoncd/triggers {places.TRIGGERS_VERSION}"),
    ):
        assert needle in (places.MODULES / name / "go.mod").read_text()


def test_an_image_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    """The archive depends on contents and modes alone, and its digests are those of its parts."""
    digests = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "tool").write_text("#!/bin/true\n")
        (folder / "bin" / "tool").chmod(0o755)
        (folder / "bin" / "link").symlink_to("tool")
        os.utime(folder / "bin" / "tool", (len(name), 5))
        image = Image(["a/b:c"], list(folder_entries(folder)), entrypoint=["/bin/tool"], user="7:7", env={"A": "b"})
        archive = tmp_path / f"{name}.tar"
        ids = write_archive([image], archive, "amd64")
        digests.add((hashlib.sha256(archive.read_bytes()).hexdigest(), ids[0]))
    assert len(digests) == 1
    with tarfile.open(archive) as tar:
        manifest = json.loads(_member(tar, "manifest.json"))
        config = _member(tar, manifest[0]["Config"])
        layer = _member(tar, manifest[0]["Layers"][0])
    assert ids == [f"sha256:{hashlib.sha256(config).hexdigest()}"]
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert json.loads(config)["config"] == {"Env": ["A=b"], "Entrypoint": ["/bin/tool"], "User": "7:7"}
    assert not list(tmp_path.glob("*.layer")) + list(tmp_path.glob("*.partial"))


def test_an_image_has_the_folders_that_its_files_need(tmp_path: Path) -> None:
    """A file deep down brings its folders with it, parents first, and a link stays a link."""
    entries = [Entry("/a/b/c", source=b"text", mode=0o644, uid=5), Entry("/a/l", link="b/c")]
    write_archive([Image(["x:y"], entries)], tmp_path / "x.tar", "amd64")
    with tarfile.open(tmp_path / "x.tar") as tar:
        layer = json.loads(_member(tar, "manifest.json"))[0]["Layers"][0]
        stream = tar.extractfile(layer)
        assert stream
        with tarfile.open(fileobj=stream) as inner:
            members = inner.getmembers()
            assert [member.name for member in members] == ["a", "a/b", "a/b/c", "a/l"]
            assert (members[2].uid, members[2].mode, members[3].linkname) == (5, 0o644, "b/c")


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    assert stream
    return stream.read()


MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, labels: {app.kubernetes.io/version: "devel"}}
spec:
  template:
    spec:
      containers:
      - image: ko://github.com/tektoncd/pipeline/cmd/controller
        args: [
          "-entrypoint-image", "ko://github.com/tektoncd/pipeline/cmd/entrypoint",
          "-shell-image", "cgr.dev/chainguard/busybox@sha256:19f",
        ]
"""


def test_tekton_is_given_the_images_that_were_built() -> None:
    """References to sources and registries become the local images, and the release is named."""
    text = tekton._with_local_images(MANIFEST, "pipeline", "v1.9.0")
    document = tekton.parse([text])[0]
    container = document["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "reflect-ci.local/tekton-pipeline-controller:v1.9.0"
    assert container["args"][1] == "reflect-ci.local/tekton-pipeline-entrypoint:v1.9.0"
    assert container["args"][3] == "reflect-ci.local/busybox:1.35"
    assert document["metadata"]["labels"]["app.kubernetes.io/version"] == "v1.9.0"


def test_a_failed_build_shows_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the exit code, the log's path and what was said last."""
    monkeypatch.setenv("REFLECT_CI_CACHE", str(tmp_path))
    with pytest.raises(places.ClusterError, match=r"(?s)a build failed with 3.*a-build\.log.*no space left"):
        progress.work("a build", ["sh", "-c", "echo no space left; exit 3"])


def test_a_long_build_says_that_it_is_still_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a command runs, a line comes at each interval, with the last line of its output."""
    monkeypatch.setenv("REFLECT_CI_CACHE", str(tmp_path))
    monkeypatch.setattr(progress, "INTERVAL", 0.2)
    progress.work("slow work", ["sh", "-c", "echo step one; sleep 1"])
    said = capsys.readouterr().err
    assert "slow work: still at it after" in said
    assert "(step one)" in said
    assert "slow work: done in" in said


def test_waiting_ends_with_what_is_missing() -> None:
    """What is not ready in time is named."""
    with pytest.raises(places.ClusterError, match=r"pods: not ready after 0 s, web is not ready"):
        progress.wait_until("pods", lambda: "web is not ready", 0.0, interval=0.01)


def _server(answer: bytes, linger: bool) -> tuple[socket.socket, int]:
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        connection.recv(100)
        connection.sendall(answer)
        if linger:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return server, server.getsockname()[1]


def test_the_relay_passes_bytes_and_ends_on() -> None:
    """What the server sends arrives, and its end is an end."""
    server, port = _server(b"hello", linger=False)
    with (
        server,
        relay("127.0.0.1", port) as outer,
        socket.create_connection(("127.0.0.1", outer), timeout=30) as client,
    ):
        client.sendall(b"question")
        received = b""
        while data := client.recv(100):
            received += data
    assert received == b"hello"


def test_the_relay_passes_a_cut_connection_on_as_one() -> None:
    """A connection that the server resets is reset for the client too, not ended politely."""
    server, port = _server(b"", linger=True)
    with (
        server,
        relay("127.0.0.1", port) as outer,
        socket.create_connection(("127.0.0.1", outer), timeout=30) as client,
    ):
        client.sendall(b"question")
        with pytest.raises(ConnectionResetError):
            client.recv(100)


def test_the_command_line_needs_one_of_its_words() -> None:
    """./scripts/cluster without or with an unknown word explains itself and does nothing."""
    script = places.ROOT / "scripts" / "cluster"
    env = {"PATH": os.defpath, "HOME": "/nonexistent"}
    for arguments in ([], ["upp"]):
        done = subprocess.run([str(script), *arguments], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "up" in done.stderr
    asked = subprocess.run([str(script), "--help"], env=env, capture_output=True, text=True, check=False)
    assert asked.returncode == 0
    assert "REFLECT_CLUSTER_SOURCE=registry" in asked.stdout


def test_memory_is_read_from_control_groups_of_both_versions(tmp_path: Path) -> None:
    """The working set is what is used without inactive file pages, under the names of either version."""
    for version, usage, inactive in (
        ("1", "memory.usage_in_bytes", "total_inactive_file"),
        ("2", "memory.current", "inactive_file"),
    ):
        group = tmp_path / version
        group.mkdir()
        (group / usage).write_text("5000\n")
        (group / "memory.stat").write_text(f"anon 1\n{inactive} 1500\n")
        assert working_set(group) == 3500
    assert working_set(tmp_path / "gone") is None
    assert memory_group("5:cpu,cpuacct:/a\n4:memory:/docker/x/y\n") == Path("/sys/fs/cgroup/memory/docker/x/y")
