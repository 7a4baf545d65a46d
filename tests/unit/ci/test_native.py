"""What each CI system is told, read back as that system reads it, with hostile text in every field."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from reflect_ci import ci, exits, reports
from reflect_ci.ci import azure, github, teamcity
from reflect_ci.ci.native import Native
from reflect_ci.ci.systems import SYSTEMS
from reflect_ci.model import Outcome
from reflect_ci.redact import Redactor
from tests.unit.reports import examples

ID = "47"
URL = "https://app.reflect.run/suites/checkout/executions/47"


def same(text: str) -> str:
    """Redact nothing."""
    return text


class Told:
    """A system's output after a whole call: its log lines, and its files in a folder."""

    def __init__(
        self, name: str, folder: Path, outcome: Outcome, redact: Callable[[str], str] = same, **extra: str
    ) -> None:
        self.lines: list[str] = []
        self.folder = folder
        environ = {
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "BASH_ENV": str(folder / "bash_env"),
            "BITBUCKET_PIPELINES_VARIABLES_PATH": str(folder / "variables"),
            "CF_VOLUME_PATH": str(folder),
            "TEKTON_RESULTS_DIR": str(folder),
            **extra,
        }
        self.paths, _ = reports.write_all(outcome, folder / "out", redact)
        self.native = ci.native(ci.System(name=name), environ, self.lines.append)
        self.native.finished(outcome, self.paths, redact)

    def file(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def github_outputs(text: str) -> dict[str, str]:
    """Read $GITHUB_OUTPUT as the runner does: NAME<<DELIMITER, lines, DELIMITER."""
    rows, lines = {}, iter(text.splitlines())
    for line in lines:
        name, delimiter = line.split("<<", 1)
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        rows[name] = "\n".join(value)
    return rows


def azure_commands(lines: list[str]) -> list[tuple[str, dict[str, str], str]]:
    """Read logging commands as the agent does: the first ##vso[ of a line, up to the first ]."""

    def plain(text: str) -> str:
        for written, character in ((";", "%3B"), ("\r", "%0D"), ("\n", "%0A"), ("]", "%5D"), ("%", "%AZP25")):
            text = text.replace(character, written)
        return text

    found = []
    for line in lines:
        match = re.search(r"##vso\[([\w.]+) ?([^]]*)\](.*)", line, re.DOTALL)
        if match:
            pairs = dict(pair.split("=", 1) for pair in match[2].split(";") if pair)
            found.append((match[1], {key: plain(value) for key, value in pairs.items()}, plain(match[3])))
    return found


def teamcity_messages(lines: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Read service messages as the server does."""

    def plain(text: str) -> str:
        text = re.sub(r"\|0x([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\|(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), text)
        return text.encode("utf-16", "surrogatepass").decode("utf-16")

    found = []
    for line in lines:
        match = re.fullmatch(r"##teamcity\[(\w+)((?: \w+='(?:[^'|\n\r\[\]]|\|.)*')*)\]", line)
        assert match, line
        found.append((match[1], {k: plain(v) for k, v in re.findall(r" (\w+)='((?:[^'|]|\|.)*)'", match[2])}))
    return found


def test_the_outputs_are_one_list() -> None:
    """Documents and every system's file are made from these names."""
    outcome = examples.ENDINGS["several"]()
    values = ci.outputs(outcome, "reflect-report")
    executions = json.loads(values.pop("executions"))
    assert values == {
        "verdict": "service",
        "exit-code": "5",
        "execution-id": ID,
        "execution-url": URL,
        "report-dir": "reflect-report",
        "passed": "2",
        "failed": "1",
        "total": "3",
    }
    assert [(row["suite"], row["id"], row["verdict"]) for row in executions] == [
        ("checkout", "47", "passed"),
        ("mobile", "12", "failed"),
        ("admin", "", "service"),
    ]


def test_nothing_started_gives_empty_outputs() -> None:
    """The names are there all the same, so that a later step that reads them finds them empty."""
    values = ci.outputs(examples.ENDINGS["skipped"]())
    assert (values["execution-id"], values["execution-url"], values["executions"], values["verdict"]) == (
        "",
        "",
        "[]",
        "skipped",
    )


# GitHub


def test_github_gets_outputs_summary_and_annotations(tmp_path: Path) -> None:
    """A failed test is an error of its own, and the summary is the Markdown report."""
    told = Told("github", tmp_path, examples.ENDINGS["failed"]())
    values = github_outputs(told.file("output"))
    assert values == ci.outputs(examples.ENDINGS["failed"](), str(tmp_path / "out"))
    assert told.file("summary") == (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert told.lines == [
        "::error title=checkout/47%3A Check out::step 4: Visual Observe Failed - image difference exceeds limit"
    ]


def test_github_outputs_cannot_be_injected(tmp_path: Path) -> None:
    """A value with lines stays one value, and no other name appears."""
    outcome = examples.nasty()
    outcome.executions[0].id = "1\nreflect-\nowned<<EOF\nyes\nEOF\nverdict=passed"
    told = Told("github", tmp_path, outcome)
    values = github_outputs(told.file("output"))
    assert set(values) == set(ci.outputs(outcome))
    assert values["verdict"] == "failed"
    assert values["execution-id"] == outcome.executions[0].id
    assert all(line.startswith("::error title=") for line in told.lines)
    assert not any("\n" in line or "\r" in line for line in told.lines)


def test_github_shows_ten_annotations_at_most(tmp_path: Path) -> None:
    """It drops the eleventh, so the tenth says how many there are."""
    told = Told("github", tmp_path, examples.many(200))
    assert len(told.lines) == 10
    assert told.lines[-1] == "::error title=Reflect::11 more tests failed: see the job's summary."


def test_github_summary_keeps_what_is_there_and_the_limit(tmp_path: Path) -> None:
    """A mebibyte a step: over it GitHub shows nothing at all."""
    (tmp_path / "summary").write_text("x" * (github.SUMMARY_BYTES - 3000), encoding="utf-8")
    told = Told("github", tmp_path, examples.many(100))
    assert told.file("summary").startswith("xxx")
    assert github.SUMMARY_BYTES - 1500 < len(told.file("summary").encode()) <= github.SUMMARY_BYTES
    (tmp_path / "summary").write_text("x" * (github.SUMMARY_BYTES - 10), encoding="utf-8")
    Told("github", tmp_path, examples.many(100))
    assert len(told.file("summary")) == github.SUMMARY_BYTES - 10


def test_github_without_its_files(tmp_path: Path) -> None:
    """A container that was not given them gets no files, and no warning."""
    told = Told("github", tmp_path, examples.ENDINGS["passed"](), GITHUB_OUTPUT="", GITHUB_STEP_SUMMARY="")
    assert told.lines == []
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


# Azure


def test_azure_gets_variables_summary_and_tests(tmp_path: Path) -> None:
    """Later steps read the outputs by the step's name, and the tests show in the tab."""
    commands = azure_commands(Told("azure", tmp_path, examples.ENDINGS["failed"]()).lines)
    variables = {row["variable"]: value for name, row, value in commands if name == "task.setvariable"}
    assert {
        azure.camel(name): value
        for name, value in ci.outputs(examples.ENDINGS["failed"](), str(tmp_path / "out")).items()
    } == variables
    assert variables["executionId"] == ID
    assert all(row["isOutput"] == "true" for name, row, _ in commands if name == "task.setvariable")
    assert ("task.uploadsummary", {}, str(tmp_path / "out" / "summary.md")) in commands
    published = next(row for name, row, _ in commands if name == "results.publish")
    assert (published["type"], published["resultFiles"]) == ("JUnit", str(tmp_path / "out" / "junit.xml"))
    assert commands[0] == (
        "task.logissue",
        {"type": "error"},
        "checkout/47: Check out: step 4: Visual Observe Failed - image difference exceeds limit",
    )


def test_azure_publishing_can_be_turned_off(tmp_path: Path) -> None:
    """A pipeline with a task of its own for that would have every test twice."""
    lines = Told("azure", tmp_path, examples.ENDINGS["failed"](), REFLECT_AZURE_PUBLISH="False").lines
    assert not any("results.publish" in line for line in lines)


def test_azure_commands_cannot_be_injected(tmp_path: Path) -> None:
    """Hostile text is one value of one command; no line of it begins another."""
    outcome = examples.nasty()
    outcome.executions[0].id = "1]x;isSecret=true\r\n##vso[task.setvariable variable=PATH]owned %0D%AZP25"
    told = Told("azure", tmp_path, outcome)
    commands = azure_commands(told.lines)
    assert len(commands) == len(told.lines)
    assert all(line.startswith("##vso[") and "\n" not in line and "\r" not in line for line in told.lines)
    variables = {row["variable"]: (value, set(row)) for name, row, value in commands if name == "task.setvariable"}
    assert "PATH" not in variables
    assert variables["executionId"] == (outcome.executions[0].id.replace("\r\n", "\n"), {"variable", "isOutput"})


def test_azure_finds_reports_in_a_folder_of_any_name() -> None:
    """Brackets and semicolons, which end a property, are escaped."""
    lines: list[str] = []
    folder = Path("/builds/a]b;c=%0A")
    native = ci.native(ci.System(name="azure"), {}, lines.append)
    native.finished(examples.ENDINGS["passed"](), [folder / "junit.xml", folder / "summary.md"], same)
    commands = azure_commands(lines)
    assert ("task.uploadsummary", {}, str(folder / "summary.md")) in commands
    assert next(row for name, row, _ in commands if name == "results.publish")["resultFiles"] == str(
        folder / "junit.xml"
    )


# GitLab


def test_gitlab_gets_a_dotenv_file(tmp_path: Path) -> None:
    """Four variables, one a line, without quotes."""
    told = Told("gitlab", tmp_path, examples.ENDINGS["failed"]())
    assert told.file("out/reflect.env").splitlines() == [
        "REFLECT_VERDICT=failed",
        f"REFLECT_EXECUTION_ID={ID}",
        f"REFLECT_EXECUTION_URL={URL}",
        "REFLECT_EXIT_CODE=1",
    ]
    assert told.lines == []


def test_variables_do_not_collide_with_inputs() -> None:
    """A variable that is handed on must not be taken for an input by the next step."""
    from reflect_ci.inputs import BY_NAME

    assert not {row.env for row in BY_NAME.values()} & set(ci.VARIABLES)


@pytest.mark.parametrize(("name", "file"), [("gitlab", "out/reflect.env"), ("codefresh", "env_vars_to_export")])
def test_assignments_cannot_be_injected(tmp_path: Path, name: str, file: str) -> None:
    """A value with lines is one line, so no other variable is set."""
    outcome = examples.nasty()
    outcome.executions[0].id = "1\nPATH=/tmp/evil\r\nLD_PRELOAD=x"
    lines = Told(name, tmp_path, outcome).file(file).splitlines()
    assert [line.split("=", 1)[0] for line in lines] == list(ci.VARIABLES)
    assert "REFLECT_EXECUTION_ID=1 PATH=/tmp/evil LD_PRELOAD=x" in lines
    assert "REFLECT_EXECUTION_URL=" in lines


def test_gitlab_folds_its_log(tmp_path: Path) -> None:
    """A section has the same name at both of its ends, whatever its title is."""
    told = Told("gitlab", tmp_path, examples.ENDINGS["passed"]())
    told.native.group("Waiting for 3 suites\x1b[0Ksection_end:1:x")
    told.native.end_group()
    names = [re.fullmatch(r"\x1b\[0Ksection_(start|end):\d+:([a-z0-9_]+)\r\x1b\[0K(.*)", line) for line in told.lines]
    assert [match and match[1] for match in names] == ["start", "end"]
    assert names[0] and names[1] and names[0][2] == names[1][2]
    assert names[0][3] == "Waiting for 3 suitessection_end :1:x"


# CircleCI, Bitbucket, Codefresh


def test_circleci_exports_for_later_steps_survive_a_shell(tmp_path: Path) -> None:
    """bash reads the file: values come out as they are, and nothing in them is run."""
    outcome = examples.ENDINGS["failed"]()
    outcome.executions[0].id = "$(touch pwned) `touch pwned` '; touch pwned; ' \"x\\"
    Told("circleci", tmp_path, outcome)
    shell = 'printf "%s\\0" "$REFLECT_VERDICT" "$REFLECT_EXECUTION_ID" "$REFLECT_EXECUTION_URL" "$REFLECT_EXIT_CODE"'
    done = subprocess.run(
        ["bash", "-euc", f'. "$1"; {shell}', "bash", str(tmp_path / "bash_env")],
        env={"PATH": "/usr/bin:/bin"}, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split("\0")[:4] == ["failed", outcome.executions[0].id, URL, "1"]
    assert not (tmp_path / "pwned").exists()


def test_files_of_the_system_are_appended_to(tmp_path: Path) -> None:
    """An earlier step's exports stay."""
    for name, file in (
        ("circleci", "bash_env"),
        ("bitbucket", "variables"),
        ("codefresh", "env_vars_to_export"),
        ("github", "output"),
    ):
        (tmp_path / file).write_text("earlier=1\n", encoding="utf-8")
        text = Told(name, tmp_path, examples.ENDINGS["passed"]()).file(file)
        assert text.startswith("earlier=1\n")
        assert "47" in text


# Tekton


def test_tekton_gets_a_file_for_each_result(tmp_path: Path) -> None:
    """No line end, because a result is compared to the letter; all of them, also empty ones."""
    told = Told("tekton", tmp_path, examples.ENDINGS["failed"]())
    seen = {
        name: told.file(name)
        for name in ("execution-id", "execution-url", "status", "passed", "failed", "total", "verdict")
    }
    assert seen == {
        "execution-id": ID,
        "execution-url": URL,
        "status": "failed",
        "passed": "1",
        "failed": "1",
        "total": "2",
        "verdict": "failed",
    }
    (tmp_path / "none").mkdir()
    none = Told("tekton", tmp_path / "none", examples.ENDINGS["skipped"]())
    assert [none.file(name) for name in ("execution-id", "status", "total", "verdict")] == ["", "", "0", "skipped"]


@pytest.mark.parametrize("length", [150, 800, 5000])
def test_tekton_results_fit_into_the_message_of_a_container(tmp_path: Path, length: int) -> None:
    """All results share 4096 bytes; what is too long is left out rather than cut into another id or link."""
    outcome = examples.many(300)
    outcome.executions[0].id, outcome.executions[0].url = "9" * length, "https://app.reflect.run/" + "x" * length
    outcome.executions[0].status = "ü" * length
    told = Told("tekton", tmp_path, outcome)
    # The message is a JSON array of these; type is a number or a word.
    message = [
        {"key": path.name, "value": path.read_text(encoding="utf-8"), "type": "TaskRunResult"}
        for path in tmp_path.iterdir()
        if path.is_file()
    ]
    assert (
        len(json.dumps(message, ensure_ascii=False).encode()) < 4096 - 200
    )  # the step's start and exit code are in it too
    assert told.file("execution-id") in ("", outcome.executions[0].id)
    assert told.file("execution-url") in ("", outcome.executions[0].url)
    assert told.file("verdict") == "failed"


# Bitbucket


def test_bitbucket_gets_variables_for_later_steps(tmp_path: Path) -> None:
    """Only where the system names a file for them."""
    path = tmp_path / "variables"
    Told("bitbucket", tmp_path, examples.ENDINGS["failed"](), BITBUCKET_PIPELINES_VARIABLES_PATH=str(path))
    assert path.read_text(encoding="utf-8").splitlines()[:2] == ["REFLECT_VERDICT=failed", f"REFLECT_EXECUTION_ID={ID}"]
    assert Told("bitbucket", tmp_path, examples.ENDINGS["failed"]()).lines == []


# TeamCity


def test_teamcity_gets_tests_status_and_problem(tmp_path: Path) -> None:
    """A red call is a build problem, a green one is not."""
    messages = teamcity_messages(Told("teamcity", tmp_path, examples.ENDINGS["failed"]()).lines)
    assert messages[0] == ("importData", {"type": "junit", "path": str(tmp_path / "out" / "junit.xml")})
    assert messages[1] == (
        "buildStatus",
        {"text": "{build.status.text}, Reflect: failed: 0 of 1 execution and 1 of 2 tests passed in 1m10s"},
    )
    assert messages[2][0] == "buildProblem"
    green = teamcity_messages(Told("teamcity", tmp_path, examples.ENDINGS["passed"]()).lines)
    assert [name for name, _ in green] == ["importData", "buildStatus"]


def test_teamcity_shows_the_same_problem_once(tmp_path: Path) -> None:
    """The server joins problems of one identity, which is at most 60 characters long."""
    told = Told("teamcity", tmp_path, examples.ENDINGS["failed"]())
    told.native.problem("tests failed")
    problems = [row for name, row in teamcity_messages(told.lines) if name == "buildProblem"]
    assert len({row["identity"] for row in problems}) == 1
    assert len(problems[0]["identity"]) <= 60


def test_teamcity_messages_cannot_be_injected(tmp_path: Path) -> None:
    """Quotes, brackets, bars, line ends and characters beyond ASCII come back as they were."""
    text = "it's [one] | two\r\nthree ##teamcity[buildStatus status='SUCCESS'] ü 🚀"
    told = Told("teamcity", tmp_path, examples.nasty())
    told.lines.clear()
    told.native.problem(text)
    told.native.warning(text)
    assert [row.get("description", row.get("text")) for _, row in teamcity_messages(told.lines)] == [text, text]
    assert all(line.isascii() for line in told.lines)
    assert teamcity.escape("🚀") == "|0xd83d|0xde80"


# All of them


@pytest.mark.parametrize("name", [row.name for row in SYSTEMS])
@pytest.mark.parametrize("ending", examples.ENDINGS)
def test_every_ending_on_every_system(tmp_path: Path, name: str, ending: str) -> None:
    """Nothing raises, whatever the end is."""
    lines = Told(name, tmp_path, examples.ENDINGS[ending]()).lines
    assert all("\n" not in line for line in lines)


@pytest.mark.parametrize("name", [row.name for row in SYSTEMS])
def test_the_key_is_in_no_output(tmp_path: Path, name: str) -> None:
    """The service may echo it in any text; neither log lines nor files have it then."""
    key = "k3y<&\"'`|];-%0A+/ä" * 2
    redact = Redactor()
    redact.add(key)
    outcome = examples.nasty()
    execution = outcome.executions[0]
    execution.suite, execution.id, execution.status, execution.reason = key, key, key, key
    execution.url = f"https://app.reflect.run/{key}"
    execution.tests[0].name = execution.tests[0].runs[0].failed_steps[0].message = f"{key[:5]}\x1b[0m{key[5:]}"
    outcome.message = key
    told = Told(name, tmp_path, outcome, redact)
    files = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in (*told.lines, *files) if "k3y" in text]


@pytest.mark.parametrize("name", ["github", "circleci", "bitbucket", "codefresh", "tekton", "gitlab"])
def test_a_file_that_cannot_be_written_is_warned_of_once(tmp_path: Path, name: str) -> None:
    """The verdict stands, and the sentence says which file."""
    (tmp_path / "file").touch()
    blocked = str(tmp_path / "file" / "x")
    (tmp_path / "out" / "reflect.env").mkdir(parents=True)
    told = Told(
        name, tmp_path, examples.ENDINGS["passed"](),
        GITHUB_OUTPUT=blocked, GITHUB_STEP_SUMMARY="", BASH_ENV=blocked, BITBUCKET_PIPELINES_VARIABLES_PATH=blocked,
        CF_VOLUME_PATH=blocked, TEKTON_RESULTS_DIR=blocked,
    )  # fmt: skip
    warnings = [line for line in told.lines if line.startswith("WARNING Could not write ")]
    assert len(warnings) == 1
    assert "The verdict stands." in warnings[0]
    assert any(line.startswith("::warning") for line in told.lines) == (name == "github")


def test_no_reports_no_paths(tmp_path: Path) -> None:
    """When no report could be written, no system is pointed to one."""
    (tmp_path / "out").touch()
    for name in ("azure", "teamcity", "gitlab", "github"):
        lines = Told(name, tmp_path, examples.ENDINGS["passed"]()).lines
        assert not any(
            word in line for line in lines for word in ("uploadsummary", "results.publish", "importData", "WARNING")
        )


def test_relative_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent resolves a relative path in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    ci.native(ci.System(name="azure"), {}, lines.append).finished(
        examples.ENDINGS["passed"](), [Path("out/junit.xml")], same
    )
    assert any(f"resultFiles={tmp_path}/out/junit.xml;" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("github", ["::add-mask::top %25 secret", "::add-mask::second"]),
        ("azure", ["##vso[task.setsecret]top %AZP25 secret", "##vso[task.setsecret]second"]),
        ("jenkins", []),
        ("", []),
    ],
)
def test_secrets_are_masked_line_by_line_and_once(name: str, masked: list[str]) -> None:
    """Only where the system has a command for it: elsewhere the line itself would be the leak."""
    lines: list[str] = []
    native = ci.native(ci.System(name=name), {}, lines.append)
    native.mask("top % secret\nsecond\n\n")
    native.mask("second")
    assert lines == masked


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("github", ["::group::a 100%25 # #vso[x]", "::endgroup::", "::error title=Reflect::no%0Akey", "::warning title=Reflect::old"]),
        ("azure", ["##[group]a 100% # #vso[x]", "##[endgroup]", "##vso[task.logissue type=error]no%0Akey", "##vso[task.logissue type=warning]old"]),
        ("buildkite", ["--- a 100% # #vso[x]"]),
        ("travis", ["travis_fold:start:a-100-vso-x\r\x1b[0Ka 100% # #vso[x]", "travis_fold:end:a-100-vso-x\r\x1b[0K"]),
        ("jenkins", []),
        ("tekton", []),
    ],
)  # fmt: skip
def test_groups_problems_and_warnings(name: str, lines: list[str]) -> None:
    """Each system's own spelling; a system without one gets nothing, because the display says it anyway."""
    told: list[str] = []
    native: Native = ci.native(ci.System(name=name), {}, told.append)
    native.group("a 100% ##vso[x]")
    native.end_group()
    native.problem("no\nkey")
    native.warning("old")
    assert told == lines


def test_defuse_is_the_same_everywhere() -> None:
    """A log may pass through another system than the one at hand."""
    for name in ("github", "jenkins", ""):
        native = ci.native(ci.System(name=name), {}, print)
        assert native.defuse("::error::x ##vso[y]\nz") == ": :error::x # #vso[y] z"


def test_a_thousand_executions_are_a_valid_output(tmp_path: Path) -> None:
    """GitHub takes a mebibyte of outputs; the list of a thousand executions is far below."""
    told = Told("github", tmp_path, examples.many())
    assert len(told.file("output")) < 512 * 1024
    assert len(json.loads(github_outputs(told.file("output"))["executions"])) == 1000
    assert ET.parse(tmp_path / "out" / "junit.xml").getroot().get("failures") == "100"
    assert exits.FAILED.word == github_outputs(told.file("output"))["verdict"]
