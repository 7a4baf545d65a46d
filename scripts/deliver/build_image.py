"""`./scripts/build-image`: builds the runner's image and gives it to the Docker engine."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deliver import image, site
from deliver.debian import DebianError


def main() -> int:
    """Build as the options say; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build-image", description="Build the runner's image without a registry.")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="also write the image's archive (docker load reads it)"
    )
    parser.add_argument("--no-load", action="store_true", help="do not give the image to the Docker engine")
    parser.add_argument("--base", metavar="IMAGE", help="build scripts/image/Dockerfile on this base instead")
    parser.add_argument("--tag", default=f"{image.NAME}:{site.version()}", help="with --base: the name (%(default)s)")
    args = parser.parse_args()
    try:
        if args.base:
            _on_base(args.base, args.tag)
            return 0
        built = image.build()
    except (DebianError, RuntimeError) as error:
        print(f"build-image: {error}", file=sys.stderr)
        return 1
    if args.output:
        shutil.copyfile(built.archive, args.output)
    if not args.no_load:
        done = subprocess.run(
            ["docker", "load", "--quiet", "--input", str(built.archive)], stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            print("build-image: the Docker engine did not take the image; ./scripts/engine starts one", file=sys.stderr)
            return 1
    print(f"build-image: {' and '.join(built.names)}, {built.archive.stat().st_size / 1e6:.1f} MB, {built.archive}")
    return 0


def _on_base(base: str, tag: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        (context / "files").mkdir()
        (context / "empty").mkdir()
        site.lay_out(context / "files")
        shutil.copyfile(site.ROOT / "scripts/image/Dockerfile", context / "Dockerfile")
        command = ["docker", "build", "--quiet", "--build-arg", f"BASE={base}", "--tag", tag, name]
        env = {**os.environ, "DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "0")}
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"docker build on {base} failed with {done.returncode}")
    print(f"build-image: {tag} on {base}")


if __name__ == "__main__":
    sys.exit(main())
