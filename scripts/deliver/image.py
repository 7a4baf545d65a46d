"""Builds the runner's image from Debian packages, without any registry: `./scripts/build-image`.

Python's standard library and the few shared libraries that it needs, certificate authorities, and the runner: no shell,
no package manager, nothing that runs as root. The same inputs give the same image, bit for bit.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deliver import debian, site
from deliver.image_archive import Entry, Image, folder_entries, write_archive

NAME = "reflect-ci"
USER = 10001
KEPT = 8  # archives of earlier inputs
PYTHON = "python3.11"
PACKAGES = [
    *(f"{PYTHON}-minimal", f"lib{PYTHON}-minimal", f"lib{PYTHON}-stdlib"),
    *("libc6", "libssl3", "zlib1g", "libexpat1", "libffi8", "ca-certificates"),
    "libgcc-s1",  # glibc loads it when a thread ends; without it Python aborts at exit, at times, after all went well
]
ENV = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/workspace",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
    "REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
}

# Parts of the packages that the runner never uses: documents, character sets of other systems, the parts of the
# standard library for screens, sound, databases, packaging and the tests of Python itself.
LEFT_OUT = re.compile(
    r"""^(
      usr/share/.* | usr/sbin/.* | etc/(ca-certificates|python3\.\d+|ld\.so\.conf\.d)(/.*)? | usr/lib/binfmt\.d(/.*)?
    | usr/lib/[^/]*-linux-gnu/(gconv|engines-3|audit)(/.*)? | usr/lib/[^/]*/libexpatw.*
    | lib/[^/]*/lib(mvec|memusage|nsl|thread_db|pcprofile|c_malloc_debug|nss_compat|nss_hesiod|BrokenLocale)\..*
    | usr/lib/python3\.\d+/(pydoc_data|test|unittest|idlelib|lib2to3|ensurepip|venv|xmlrpc|curses|dbm|sqlite3|tkinter
        |distutils|wsgiref|turtledemo|__phello__|asyncio|msilib|multiprocessing/dummy)(/.*)?
    | usr/lib/python3\.\d+/(turtle|pydoc|doctest|pdb|imaplib|mailbox|nntplib|poplib|smtplib|telnetlib|ftplib|sitecustomize
        |antigravity|this|_pydecimal|cgi|cgitb|webbrowser|tabnanny|pyclbr|trace|profile|cProfile|pstats)\.py
    | usr/lib/python3\.\d+/lib-dynload/(_test|xx|_xxtestfuzz|_codecs_|_dbm|_curses|readline|nis|_sqlite3|ossaudiodev|_crypt
        |audioop|_uuid|_bz2|_lzma|_asyncio|_lsprof|_multibytecodec).*
    )$""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Built:
    """The archive of a finished image and the names that it carries."""

    archive: Path
    names: tuple[str, str]


def store() -> Path:
    """Give the folder that packages and finished images are kept in."""
    base = os.environ.get("REFLECT_CI_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~").expanduser() / ".cache") / "reflect-ci-catalog"


def key() -> str:
    """Key of everything that the image depends on."""
    debian.require_suite()
    digest = hashlib.sha256(repr(debian.candidates(PACKAGES)).encode())
    digest.update(repr([(needed.name, needed.version) for needed in site.requirements()]).encode())
    scripts = site.ROOT / "scripts"
    folders = (scripts / "reflect_ci", site.ROOT / "tasks")  # what the wheel is of
    sources = [path for folder in folders for path in sorted(folder.rglob("*"))]
    for path in (*sources, *sorted((scripts / "deliver").glob("*.py")), site.ROOT / "pyproject.toml"):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(site.ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def build() -> Built:
    """Write the image's archive, unless the one of the same inputs is there already."""
    names = (f"{NAME}:{site.version()}", f"{NAME}:{site.version()}-{key()}")
    archive = store() / "image" / f"{names[1].replace(':', '-')}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            write_archive([_image(Path(folder), names)], archive, debian.architecture())
        _forget_old(archive.parent)
    return Built(archive, names)


def _forget_old(folder: Path) -> None:
    """Keep the newest archives only; each change of the runner makes one."""
    archives = sorted(folder.glob(f"{NAME}-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in archives[KEPT:]:
        old.unlink(missing_ok=True)


def _image(work: Path, names: tuple[str, str]) -> Image:
    root = work / "root"
    debian.extract(debian.candidates(PACKAGES), store() / "debs", root)
    authorities = b"".join(
        path.read_bytes().rstrip() + b"\n" for path in sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    )
    for path in sorted(root.rglob("*"), reverse=True):
        if LEFT_OUT.match(path.relative_to(root).as_posix()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    site.lay_out(root)
    # Without their source the library's modules take half the room; the runner keeps its own for tracebacks.
    _compile(root, root / f"usr/lib/{PYTHON}", without_source=True)
    _compile(root, root / site.HOME, without_source=False)
    entries = [
        *folder_entries(root),
        Entry("/usr/bin/python3", link=PYTHON, mode=0o777),
        Entry("/etc/ssl/certs/ca-certificates.crt", source=authorities, mode=0o644),
        Entry(
            "/etc/passwd", source=f"reflect:x:{USER}:{USER}:Reflect CI:/workspace:/nonexistent\n".encode(), mode=0o644
        ),
        Entry("/etc/group", source=f"reflect:x:{USER}:\n".encode(), mode=0o644),
        Entry("/etc/nsswitch.conf", source=b"hosts: files dns\n", mode=0o644),
        Entry("/tmp", mode=0o1777),
        Entry("/workspace", mode=0o1777, uid=USER),
    ]
    labels = {"org.opencontainers.image.title": NAME, "org.opencontainers.image.version": site.version()}
    return Image(
        names, entries, entrypoint=["reflect-ci"], env=ENV, user=f"{USER}:{USER}", workdir="/workspace", labels=labels
    )


def _compile(root: Path, folder: Path, *, without_source: bool) -> None:
    """Compile with the very Python of the image, started by its own loader, whatever this machine runs."""
    loader = next((root / "lib").glob("*-linux-gnu/ld-linux-*.so.*"))
    libraries = f"{loader.parent}:{root / 'usr' / loader.parent.relative_to(root)}"
    command = [str(loader), "--library-path", libraries, str(root / "usr/bin" / PYTHON), "-S", "-s", "-B"]
    command += ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/"]
    subprocess.run(
        [*command, *(["-b"] if without_source else []), str(folder)],
        env={"PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        check=True,
    )
    if without_source:
        for source in folder.rglob("*.py"):
            source.unlink()
