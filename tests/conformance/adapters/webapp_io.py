"""webapp.io: the Layerfile with the script in ci/, the inputs as secrets of the account."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Adapter, Case, Seen, environ_of, execute
from tests.platforms.previews import machine

FOLDER = ROOT / "tasks" / "webapp-io"
OWN = ("PATH", "HOME", "TMPDIR", "LANG")


class WebappIo(Adapter):
    """The very Layerfile; a stopped run is SIGTERM to the running command.

    What the Layerfile sets by ENV and the case gives is taken out of it; any value, also of several lines, can be a
    secret, so the case's inputs are secrets that one more SECRET ENV line names.
    """

    platform: ClassVar[str] = "webapp-io"
    engine: ClassVar[str] = (
        "own executor of documented semantics (Layerfile: FROM, RUN, ENV, BUILD ENV, SECRET ENV, COPY, EXPOSE WEBSITE; on this machine)"
    )

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the Layerfile on a new machine."""
        given = environ_of(case, sim, tmp)
        own = {name: given.pop(name) for name in OWN}
        # The app of the file listens on a port of its own choice, so what is waited for is the service's own page.
        given.setdefault("REFLECT_WAIT_FOR_URL", sim.url.removesuffix("/v1") + "/_simulate/started")
        text = (FOLDER / "Layerfile").read_text().replace("http.server 8000", "http.server 0")
        text = "".join(line for line in text.splitlines(True) if not is_set(line, given))
        names = " ".join(name for name in given if name != "REFLECT_API_KEY")
        run = f"RUN sh ci/reflect-run.sh{'' if case.command == 'run' else f' {case.command}'}\n"
        text = text.replace("RUN sh ci/reflect-run.sh\n", f"SECRET ENV {names}\n{run}")
        repository = machine.repository(
            tmp / "repository", {"Layerfile": text, "ci/reflect-run.sh": FOLDER / "reflect-run.sh"}
        )
        build = {"WEBAPPIO": "true", "CI": "true", "JOB_ID": "7", "RETRY_INDEX": "1", "GIT_COMMIT": "0" * 40}
        build["EXPOSE_WEBSITE_HOST"] = "0a1b2c.cidemo.co"
        variables = tmp / "variables.json"
        variables.write_text(json.dumps({"build": build, "secrets": given}))
        code, log = execute(
            machine.module("previews.layerfile", repository / "Layerfile", repository, tmp / "machine", variables),
            case,
            sim,
            env=machine.environ(tmp, own),
            cwd=tmp,
            log=tmp.parent / f"{tmp.name}.log",
        )
        reports = tmp / "machine" / "files" / case.inputs.get("report-dir", "reflect-report")
        return Seen(code == 0, log, code, reports=reports)


def is_set(line: str, given: dict[str, str]) -> bool:
    """Say whether a line sets one of the variables that the case gives."""
    match = re.match(r"ENV (\w+)=", line)
    return bool(match) and match[1] in given if match else False


ADAPTER = WebappIo()
