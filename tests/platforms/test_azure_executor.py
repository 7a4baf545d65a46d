"""The executor of Azure Pipelines that the other tests stand on behaves as the documentation says, and refuses what it does not know."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci import __version__
from reflect_ci.simulate import Simulator
from tests.platforms.azure.agent import Agent, AgentError, JobSeen
from tests.platforms.azure.expander import ExpansionError, expand_pipeline
from tests.platforms.azure.expressions import ExpressionError, evaluate
from tests.platforms.azure.support import FOLDER, SAMPLES, build_sample, environ, expanded

NAMES: dict[str, Any] = {"parameters": {"list": ["a", "b"], "no": False, "text": "Word", "map": {"Key": 1}}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("eq('Abc', 'aBC')", True),
        ("eq(1, '1')", True),
        ("eq(true, 'x')", True),
        ("eq(parameters.no, '')", True),
        ("ne(parameters.none, '')", False),
        ("and(true, 'x', 1)", True),
        ("and(true, '')", False),
        ("or(false, 0, '')", False),
        ("not(eq(1, 2))", True),
        ("in('b', 'A', 'B')", True),
        ("notIn('b', 'A', 'B')", False),
        ("join(';', parameters.list)", "a;b"),
        ("join(';', parameters.text)", "Word"),
        ("join(';', parameters.map)", ""),
        ("length(parameters.list)", 2),
        ("lower(parameters.no)", "false"),
        ("format('{0} {{{1}}}', 'a', 2)", "a {2}"),
        ("coalesce('', parameters.none, 'x')", "x"),
        ("parameters.map.key", 1),
        ("parameters['map']['KEY']", 1),
        ("parameters.list[1]", "b"),
        ("parameters.list[7]", None),
        ("replace('a-b', '-', '_')", "a_b"),
        ("'it''s'", "it's"),
        ("ge(3, '2')", True),
        ("startsWith('refs/heads/x', 'REFS/')", True),
    ],
)
def test_expressions_have_their_documented_value(expression: str, value: object) -> None:
    """Comparisons, conversions and functions are those of the language."""
    assert evaluate(expression, NAMES) == value


@pytest.mark.parametrize(
    "expression", ["", "eq(1", "nosuch(1)", "nothing.there", "eq(1, 2) 3", "parameters.list ==", "lower()"]
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    """Unknown functions and names are errors, as they are in Azure."""
    with pytest.raises(ExpressionError):
        evaluate(expression, NAMES)


def expanded_text(
    tmp: Path, text: str, templates: dict[str, str] | None = None, **parameters: object
) -> dict[str, Any]:
    """Expand a pipeline given as text, with templates beside it."""
    for name, content in (templates or {}).items():
        (tmp / name).write_text(content)
    file = tmp / "pipeline.yml"
    file.write_text(text)
    return expand_pipeline(file, parameters=parameters)


@pytest.mark.parametrize(("value", "steps"), [(1, ["one"]), (2, ["two"]), (3, ["other"])])
def test_branches_of_a_sequence(value: int, steps: list[str], tmp_path: Path) -> None:
    """Of if, elseif and else exactly one branch is taken."""
    text = """
parameters:
- name: n
  type: number
steps:
- ${{ if eq(parameters.n, 1) }}:
  - bash: one
- ${{ elseif eq(parameters.n, 2) }}:
  - bash: two
- ${{ else }}:
  - bash: other
"""
    assert [step["bash"] for step in expanded_text(tmp_path, text, n=value)["steps"]] == steps


def test_directives_of_a_mapping(tmp_path: Path) -> None:
    """if, each and insert put their pairs beside the others; scalars keep their type when they are one expression."""
    text = """
parameters:
- name: map
  type: object
  default: {A: 1, B: two}
- name: flag
  type: boolean
  default: true
steps:
- bash: x
  env:
    FLAG: ${{ parameters.flag }}
    TEXT: is ${{ parameters.flag }}
    ${{ if parameters.flag }}:
      YES: 1
    ${{ else }}:
      NO: 1
    ${{ each pair in parameters.map }}:
      ${{ pair.key }}: ${{ pair.value }}
    ${{ insert }}: ${{ parameters.map }}
"""
    (step,) = expanded_text(tmp_path, text)["steps"]
    assert step["env"] == {"FLAG": True, "TEXT": "is True", "YES": 1, "A": 1, "B": "two"}


TEMPLATE = """
parameters:
- name: a
  type: string
- name: kind
  type: string
  default: x
  values: [x, y]
- name: more
  type: stepList
  default: []
steps:
- bash: ${{ parameters.a }} ${{ parameters.kind }}
- ${{ parameters.more }}
"""


def test_several_expressions_in_one_scalar(tmp_path: Path) -> None:
    """Each expression is replaced by itself, and a text in one may hold its closing braces."""
    (step,) = expanded_text(tmp_path, "steps:\n- bash: ${{ upper('a') }} ${{ '}}' }} ${{ 1 }}\n")["steps"]
    assert step["bash"] == "A }} 1"


def test_templates_are_included_with_their_parameters(tmp_path: Path) -> None:
    """Steps of a template and step lists given to it stand where the reference stood."""
    text = "steps:\n- bash: first\n- template: t.yml\n  parameters:\n    a: 7\n    more:\n    - bash: last\n"
    steps = expanded_text(tmp_path, text, {"t.yml": TEMPLATE})["steps"]
    assert [step["bash"] for step in steps] == ["first", "7 x", "last"]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ("{}", "must be provided"),
        ("{a: x, b: y}", "unexpected parameter b"),
        ("{a: x, kind: z}", "is none of"),
        ("{a: [x]}", "no string"),
        ("{a: x, more: {bash: x}}", "wants a sequence"),
    ],
)
def test_templates_refuse_wrong_parameters(parameters: str, says: str, tmp_path: Path) -> None:
    """What Azure refuses when it compiles is refused."""
    with pytest.raises(ExpansionError, match=says):
        expanded_text(tmp_path, f"steps:\n- template: t.yml\n  parameters: {parameters}\n", {"t.yml": TEMPLATE})


@pytest.mark.parametrize(
    "text",
    [
        "steps:\n- bash: a\n  bash: b\n",
        "steps:\n- template: t.yml@nowhere\n",
        "steps:\n- template: t.yml\n  condition: always()\n",
        "steps:\n- ${{ each x in 'text' }}:\n  - bash: a\n",
    ],
)
def test_the_expander_refuses(text: str, tmp_path: Path) -> None:
    """A key twice, an unknown repository, a condition on a reference, each over a text."""
    with pytest.raises(ExpansionError):
        expanded_text(tmp_path, text, {"t.yml": "steps: []\n"})


def run(tmp: Path, steps: str, **more: Any) -> JobSeen:
    """Run steps on an agent."""
    agent = Agent(home=tmp / "agent", environ=environ(tmp), **more)
    return agent.run(yaml.safe_load(steps))


def test_macros_and_secrets(tmp_path: Path) -> None:
    """Known variables are replaced, unknown ones stay text, secrets are in no environment but where they are mapped."""
    seen = run(
        tmp_path,
        """
- bash: echo "$A|$B|${SECRET:-none}|$PLAIN_NAME|$C"
  env: {A: $(plain.name), B: $(unknown), C: $(Secret)}
""",
        variables={"Plain.Name": "value"},
        secrets={"Secret": "hidden"},
    )
    assert "value|$(unknown)|none|value|hidden" in seen.log


def test_conditions_follow_the_jobs_status(tmp_path: Path) -> None:
    """After a failure only steps that ask for it run; the job stays failed."""
    seen = run(
        tmp_path,
        """
- {bash: exit 4, displayName: fails}
- {bash: 'true', displayName: default}
- {bash: 'true', displayName: failed, condition: failed()}
- {bash: 'true', displayName: always, condition: always()}
- {bash: 'true', displayName: canceled, condition: canceled()}
""",
    )
    assert {step.title: step.result for step in seen.steps} == {
        "fails": "failed",
        "default": "skipped",
        "failed": "succeeded",
        "always": "succeeded",
        "canceled": "skipped",
    }
    assert seen.status == "Failed"
    assert "##[error]Bash exited with code '4'." in seen.log


def test_logging_commands_are_obeyed_and_not_shown(tmp_path: Path) -> None:
    """Output variables reach later steps under the step's name; issues are shown as errors; escapes are undone."""
    seen = run(
        tmp_path,
        """
- name: one
  displayName: one
  bash: |
    echo '##vso[task.setvariable variable=a;isOutput=true]x%3By'
    echo '##vso[task.logissue type=warning]careful'
- bash: echo "$(one.a) $ONE_A"
  condition: eq(variables['one.a'], 'x;y')
""",
    )
    assert "x;y x;y" in seen.log
    assert "##[warning]careful" in seen.log
    assert not [line for line in seen.log if "##vso" in line]


@pytest.mark.parametrize("steps", ["[{task: Nothing@1}]", "[{pwsh: x}]", "[{bash: a, name: x}, {bash: b, name: x}]"])
def test_the_agent_refuses_what_it_does_not_know(steps: str, tmp_path: Path) -> None:
    """An unknown task or key, or a name twice, is an error and no green job."""
    with pytest.raises(AgentError):
        run(tmp_path, steps)


# --- the README --------------------------------------------------------------------------------------------------------

README = (FOLDER / "README.md").read_text()
SNIPPETS = [textwrap.dedent(text) for text in re.findall(r"(?ms)^ *```yaml\n(.*?)^ *```", README)]


@pytest.mark.parametrize("snippet", [text for text in SNIPPETS if "template:" in text])
def test_snippets_of_the_readme_expand(snippet: str, tmp_path: Path) -> None:
    """What somebody copies out of the README compiles, with the repository resource that the README shows."""
    (resources,) = [text for text in SNIPPETS if text.startswith("resources:")]
    file = tmp_path / "pipeline.yml"
    text = resources + snippet
    if "dependsOn:\n    - Deploy" in snippet:
        text = text.replace("jobs:\n", "jobs:\n- job: Deploy\n  steps:\n  - bash: echo deployed\n", 1)
    file.write_text(text)
    document = expanded(file)
    assert document.get("steps") or document.get("jobs")


def test_tasks_in_the_readme_have_the_inputs_that_it_shows() -> None:
    """Each of the extension's tasks in a snippet exists, with the inputs that the snippet gives it."""
    shown = []
    for snippet in SNIPPETS:
        for name, inputs in re.findall(
            r"task: (Reflect\w+@0)\n(?: +name: .*\n)? +inputs:\n((?: +\w+: .*\n)+)", snippet
        ):
            task = json.loads((FOLDER / "extension" / name.partition("@")[0] / "task.json").read_text())
            declared = {row["name"] for row in task["inputs"]}
            required = {row["name"] for row in task["inputs"] if row["required"] and not row.get("defaultValue")}
            given = set(yaml.safe_load(inputs))
            assert required <= given <= declared, name
            shown.append(name)
    assert shown == ["ReflectRun@0", "ReflectStart@0"]


def test_the_readme_shows_the_tag_of_this_version() -> None:
    """README and samples name one tag, that of this version."""
    texts = [README, *(path.read_text() for path in SAMPLES.iterdir())]
    for path in (FOLDER / "templates").iterdir():
        assert set(re.findall(r"(?m)^#.*\bVersion ([\d.]+\d)", path.read_text())) == {__version__}, path.name
    assert {tag for text in texts for tag in re.findall(r"refs/tags/(v[\w.]+)", text)} == {f"v{__version__}"}


def test_every_executed_output_is_in_the_readme(tmp_path: Path) -> None:
    """Each output variable that a run sets is described."""
    with Simulator({"suites": {"checkout": {}, "login": {}}}) as sim:
        seen = build_sample("azure-pipelines.yml", sim, tmp_path)
    outputs = set(seen.jobs["Job"].outputs) - {"begun"}
    assert outputs
    assert {name for name in outputs if f"`{name}`" not in README} == set()
