"""Container images without a container engine: writes the archive that `docker load` and containerd read.

The same entries give the same bytes: everything is sorted, and no time, user or host name of this machine goes in.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Entry:
    """One file, folder or symbolic link of an image; `source` is a path on this machine or the content itself."""

    path: str
    source: Path | bytes | None = None
    link: str | None = None
    mode: int = 0o755
    uid: int = 0

    def header(self) -> tarfile.TarInfo:
        """Describe the entry for tar, without the content."""
        info = tarfile.TarInfo(self.path.strip("/"))
        info.mode, info.uid, info.gid = self.mode, self.uid, self.uid
        if self.link is not None:
            info.type, info.linkname = tarfile.SYMTYPE, self.link
        elif self.source is None:
            info.type = tarfile.DIRTYPE
        else:
            info.size = len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size
        return info


@dataclass(frozen=True)
class Image:
    """An image of one layer: its names, what is in it, and how it is started."""

    names: Sequence[str]
    entries: Sequence[Entry]
    entrypoint: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def config(self, architecture: str, layer_digest: str) -> dict[str, Any]:
        """Give the image's configuration as Docker and OCI define it."""
        settings: dict[str, Any] = {"Env": [f"{name}={value}" for name, value in self.env.items()]}
        if self.entrypoint:
            settings["Entrypoint"] = list(self.entrypoint)
        if self.user:
            settings["User"] = self.user
        if self.workdir:
            settings["WorkingDir"] = self.workdir
        if self.labels:
            settings["Labels"] = dict(self.labels)
        return {
            "architecture": architecture,
            "config": settings,
            "created": EPOCH,
            "history": [{"created": EPOCH, "created_by": "image_archive.py"}],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        }


def folder_entries(folder: Path, at: str = "") -> Iterator[Entry]:
    """Yield everything below a folder, with the modes that it has there, all owned by root."""
    for here, folders, files in os.walk(folder):
        for name in sorted(folders + files):
            path = Path(here, name)
            inside = f"{at}/{path.relative_to(folder).as_posix()}"
            if path.is_symlink():
                yield Entry(inside, link=str(path.readlink()), mode=0o777)
            elif path.is_dir():
                yield Entry(inside, mode=0o755)
            else:
                yield Entry(inside, source=path, mode=0o755 if path.stat().st_mode & 0o111 else 0o644)


def with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """Sort entries by path and add the folders that they need; the last entry of a path wins."""
    by_path = {entry.path.strip("/"): entry for entry in entries}
    for path in list(by_path):
        for parent in Path(path).parents:
            if parent.as_posix() != ".":
                by_path.setdefault(parent.as_posix(), Entry(parent.as_posix()))
    return [by_path[path] for path in sorted(by_path)]


def write_layer(entries: Iterable[Entry], target: Path) -> str:
    """Write the layer's tar file and return its SHA-256."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for entry in with_parents(entries):
            info = entry.header()
            if isinstance(entry.source, Path):
                with entry.source.open("rb") as stream:
                    tar.addfile(info, stream)
            else:
                tar.addfile(info, None if entry.source is None else io.BytesIO(entry.source))
    with target.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_archive(images: Sequence[Image], target: Path, architecture: str) -> list[str]:
    """Write all images into one archive, atomically, and return their ids (the digests of their configurations)."""
    manifest, ids = [], []
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    layer = target.with_name(f"{target.name}.{os.getpid()}.layer")
    try:
        with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
            seen: set[str] = set()
            for image in images:
                digest = write_layer(image.entries, layer)
                config = json.dumps(image.config(architecture, digest), sort_keys=True).encode()
                image_id = hashlib.sha256(config).hexdigest()
                if digest not in seen:
                    seen.add(digest)
                    _add(tar, f"{digest}/layer.tar", layer)
                if image_id not in seen:
                    seen.add(image_id)
                    _add(tar, f"{image_id}.json", config)
                ids.append(f"sha256:{image_id}")
                manifest.append(
                    {"Config": f"{image_id}.json", "RepoTags": list(image.names), "Layers": [f"{digest}/layer.tar"]}
                )
            _add(tar, "manifest.json", json.dumps(manifest, sort_keys=True).encode())
        partial.replace(target)
    finally:
        layer.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
    return ids


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    info = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    else:
        info.size = content.stat().st_size
        with content.open("rb") as stream:
            tar.addfile(info, stream)
