"""CodeDeploy's template, package and samples: accepted by AWS' own tools, and each sample executed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # it has no types of its own
import botocore.validate  # type: ignore[import-untyped]  # likewise
import jsonschema
import pytest
import yaml

from deliver.codedeploy import build, main
from reflect_ci.inputs import INPUTS
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, path_with_runner
from tests.platforms.codedeploy import appspec, emulator
from tests.platforms.codedeploy.aws import SECRET, Aws

FOLDER = ROOT / "tasks" / "codedeploy"
SAMPLES = FOLDER / "samples"
TEMPLATE = (FOLDER / "template.yaml").read_text()
DEFINITION = json.loads((FOLDER / "lambda" / "reflect-verdict.asl.json").read_text())
SCHEMA = json.loads((ROOT / "schemas" / "codedeploy-appspec.schema.json").read_text())


def cfn_lint(path: Path) -> tuple[int, str]:
    """Run cfn-lint on a template; return its exit code and what it says."""
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), path], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(path.parent), "LANG": "C.UTF-8", "AWS_DEFAULT_REGION": "eu-central-1"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_template_by_cfn_lint() -> None:
    """cfn-lint finds nothing in the template."""
    assert cfn_lint(FOLDER / "template.yaml") == (0, "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    Timeout: 900\n", "    Timeout: 9000\n"),
        ("      Handler: codedeploy_hook.failed\n", "      Handlr: codedeploy_hook.failed\n"),
        ("        StepFunction: !GetAtt Step.Arn\n", "        StepFunction: !GetAtt Stp.Arn\n"),
        ("  IsHook: !Not [!Condition HasTopic]\n", "  IsHook: !Not [!Condition HasTopik]\n"),
    ],
)
def test_cfn_lint_is_awake(tmp_path: Path, old: str, new: str) -> None:
    """A mistake in the template is found, so the test above means something."""
    assert TEMPLATE.count(old) == 1
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace(old, new))
    code, said = cfn_lint(tmp_path / "template.yaml")
    assert code, said


@pytest.mark.parametrize(("change", "good"), [({}, True), ({"Type": "Tusk"}, False)])
def test_state_machine_by_cfn_lint(tmp_path: Path, change: dict[str, str], good: bool) -> None:
    """cfn-lint accepts the state machine's definition, and not one with a state of no known type."""
    definition = json.loads(json.dumps(DEFINITION))
    definition["States"]["Start"].update(change)
    machine = {"Type": "AWS::StepFunctions::StateMachine"}
    properties = {
        "RoleArn": "arn:aws:iam::111122223333:role/machine",
        "Definition": definition,
        "DefinitionSubstitutions": {"StepFunction": "arn:aws:lambda:eu-central-1:111122223333:function:step"},
    }
    path = tmp_path / "template.json"
    path.write_text(json.dumps({"Resources": {"Machine": {**machine, "Properties": properties}}}))
    code, said = cfn_lint(path)
    assert (code == 0) is good, said


def test_every_state_is_reached_and_known() -> None:
    """Each state that is named exists, and each is named (cfn-lint does not look)."""
    text = json.dumps(DEFINITION)
    named = set(re.findall(r'"(?:Next|Default|StartAt)": "([^"]+)"', text))
    assert named == set(DEFINITION["States"])


def test_sam_makes_a_cloudformation_template_of_it(tmp_path: Path) -> None:
    """The SAM translator accepts the template; the hook is not repeated, and its failures have a destination."""
    program = (
        "import json, sys, boto3\n"
        "from samtranslator.parser.parser import Parser\n"
        "from samtranslator.translator.translator import Translator\n"
        "from samtranslator.yaml_helper import yaml_parse\n"
        "template = yaml_parse(open(sys.argv[1]).read())\n"
        "template['Globals']['Function']['CodeUri'] = 's3://bucket/package'\n"  # as `sam package` leaves it
        "template['Resources']['Machine']['Properties']['DefinitionUri'] = 's3://bucket/definition'\n"
        "session = boto3.Session(region_name='eu-central-1')\n"
        "print(json.dumps(Translator({}, Parser(), boto_session=session).translate(template, {})))\n"
    )
    # A process of its own: the translator changes modules' state.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, FOLDER / "template.yaml"],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["Resources"]
    kinds = [resource["Type"] for resource in made.values()]
    assert kinds.count("AWS::Lambda::Function") == 4
    assert "AWS::SNS::Subscription" in kinds
    assert "AWS::StepFunctions::StateMachine" in kinds
    invoke = made["HookEventInvokeConfig"]["Properties"]
    assert invoke["MaximumRetryAttempts"] == 0
    assert invoke["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["Failed", "Arn"]}


def test_template_has_no_aliases() -> None:
    """CloudFormation does not read YAML aliases, so the template has none."""
    assert not [token for token in yaml.scan(TEMPLATE) if isinstance(token, (yaml.AliasToken, yaml.AnchorToken))]


def test_functions_of_the_template_exist() -> None:
    """Each handler is a function of the module, and each variable is an input or one of the functions' own."""
    code = "".join(path.read_text() for path in (FOLDER / "lambda").glob("*.py"))
    handlers = re.findall(r"Handler: codedeploy_hook\.(\w+)", TEMPLATE)
    assert sorted(handlers) == ["failed", "handler", "notified", "step"]
    assert all(f"\ndef {handler}(event" in code for handler in handlers)
    known = {row.env for row in INPUTS} | set(re.findall(r'"(REFLECT_\w+)"', code))
    assert set(re.findall(r"(?m)^ +(REFLECT_\w+): ", TEMPLATE)) <= known


def test_package_is_small_and_the_same_each_time(tmp_path: Path) -> None:
    """The package has at most 3 MB, the same bytes from the same sources, the functions at its top and no boto3."""
    first, second = build(tmp_path / "a"), build(tmp_path / "b")
    assert first.stat().st_size <= 3_000_000
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = set(archive.namelist())
        assert all(
            entry.external_attr >> 16 & 0o444 == 0o444 for entry in archive.infolist()
        )  # another user reads them
    assert {
        "codedeploy_hook.py",
        "reflect_aws.py",
        "reflect_ci/cli.py",
        "requests/__init__.py",
        "certifi/cacert.pem",
    } <= names
    assert not [name for name in names if name.startswith(("boto", "reflect_ci/simulate")) or "__pycache__" in name]


def test_build_says_what_is_next(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The build leaves all that `sam deploy` needs in one folder, and names the template."""
    assert main(["--output", str(tmp_path / "out")]) == 0
    assert f"--template-file {tmp_path}/out/template.yaml" in capfd.readouterr().out
    named = re.findall(r"(?:CodeUri|DefinitionUri): (\S+)", (tmp_path / "out" / "template.yaml").read_text())
    assert len(named) == 2
    assert all((tmp_path / "out" / name).is_file() for name in named)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/appspec.y*ml")), ids=lambda path: path.parent.name)
def test_sample_matches_the_schema(path: Path) -> None:
    """Each AppSpec sample validates."""
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


@pytest.mark.parametrize(
    ("sample", "old", "new"),
    [
        ("ecs/appspec.yaml", "version: 0.0", "version: 0.1"),
        ("ecs/appspec.yaml", "Hooks:", "hooks:"),
        ("ecs/appspec.yaml", "AfterAllowTestTraffic", "AfterTestTraffic"),
        ("ecs/appspec.yaml", "ContainerPort: 8080", "ContainerPort: http"),
        ("lambda/appspec.yaml", "AfterAllowTraffic", "AfterAllowTestTraffic"),
        ("lambda/appspec.yaml", "        Alias: live\n", ""),
        ("ec2/appspec.yml", "os: linux\n", ""),
        ("ec2/appspec.yml", "ValidateService", "ValidateServices"),
        ("ec2/appspec.yml", "timeout: 2400", "timeout: 40m"),
        ("ec2/appspec.yml", "timeout: 2400", "timeout: 7200"),
        ("ec2/appspec.yml", "runas:", "runAs:"),
    ],
)
def test_schema_refuses(sample: str, old: str, new: str) -> None:
    """A misspelt, missing or impossible part of an AppSpec file is refused."""
    text = (SAMPLES / sample).read_text()
    assert text.count(old) >= 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text.replace(old, new)), SCHEMA)


@pytest.mark.parametrize("sample", ["ecs/appspec.yaml", "lambda/appspec.yaml"])
def test_hooks_of_a_sample_run(tmp_path: Path, sample: str) -> None:
    """Each hook of the sample calls a function of the template's name, which reports to CodeDeploy."""
    hooks = appspec.functions(SAMPLES / sample)
    assert hooks
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        environ = {
            "REFLECT_API_URL": sim.url, "REFLECT_SUITES": "passes", "REFLECT_SECRET_ARN": SECRET,
            "REFLECT_REPORT_DIR": str(tmp_path / "reports"), **aws.environ,
        }  # fmt: skip
        for event, name in hooks:
            assert name.startswith("CodeDeployHook_"), f"{event}: CodeDeploy's managed roles may not call {name}"
            with emulator.function("codedeploy_hook.handler", environ, tmp_path) as function:
                function.call({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": f"{event}-{uuid.uuid4().hex}"})
        assert [each["status"] for each in aws.statuses] == ["Succeeded"] * len(hooks)


def revision(tmp: Path) -> Path:
    """Put the EC2 sample together as its README says."""
    folder = tmp / "revision"
    shutil.copytree(SAMPLES / "ec2", folder)
    shutil.copy(FOLDER / "ec2" / "reflect-run.sh", folder / "scripts")
    (tmp / "key").write_text(KEY)
    return folder


def machine(tmp: Path, sim: Simulator) -> dict[str, str]:
    """Return an instance's environment; it says where the runner, the service and the key are."""
    return {
        "PATH": path_with_runner(), "HOME": str(tmp), "TMPDIR": str(tmp), "LANG": "C.UTF-8",
        "REFLECT_RUNNER": "installed", "REFLECT_API_URL": sim.url,
        "REFLECT_API_KEY_FILE": str(tmp / "key"),
    }  # fmt: skip


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_ec2_sample(tmp_path: Path, status: str) -> None:
    """The event ValidateService of the sample succeeds or fails by the suites; the reports are under the deployment's id."""
    folder = revision(tmp_path)
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        succeeded, log = appspec.run(folder, "ValidateService", "staging", machine(tmp_path, sim), tmp_path)
        assert [each.suite for each in sim.started] == ["regression-tests"]
    assert succeeded is (status == "passed"), log
    assert KEY not in log
    result = json.loads((tmp_path / "reflect-d-EXAMPLE11" / "result.json").read_text())
    assert result["verdict"] == status


def test_ec2_sample_in_another_deployment_group(tmp_path: Path) -> None:
    """In a deployment group that is not to be tested the hook succeeds, says so, and calls nothing."""
    folder = revision(tmp_path)
    with Simulator() as sim:
        succeeded, log = appspec.run(folder, "ValidateService", "staging-2", machine(tmp_path, sim), tmp_path)
        assert sim.calls == []
    assert succeeded
    assert "nothing is tested in the deployment group 'staging-2'" in log


def test_ec2_script_timeout_is_above_the_runner_s() -> None:
    """The sample's AppSpec timeout leaves the runner time to cancel: it is above the default deadline of 30 minutes."""
    (script,) = appspec.scripts(SAMPLES / "ec2", "ValidateService")
    assert script.seconds >= 1800 + 120


def test_sns_sample_is_a_call_of_codedeploy() -> None:
    """The trigger's JSON is valid input of UpdateDeploymentGroup, for the success of a deployment only."""
    content: dict[str, Any] = json.loads((SAMPLES / "sns" / "trigger.json").read_text())
    client = boto3.client("codedeploy", region_name="eu-central-1")
    shape = client.meta.service_model.operation_model("UpdateDeploymentGroup").input_shape
    report = botocore.validate.ParamValidator().validate(content, shape)
    assert not report.has_errors(), report.generate_report()
    events = shape.members["triggerConfigurations"].member.members["triggerEvents"].member.enum
    assert content["triggerConfigurations"][0]["triggerEvents"] == ["DeploymentSuccess"]
    assert "DeploymentSuccess" in events


def test_readme_snippets_are_right() -> None:
    """Each YAML snippet of the README is part of a valid AppSpec file, and the parameters that it names exist."""
    text = (FOLDER / "README.md").read_text()
    snippets = [yaml.safe_load(snippet) for snippet in re.findall(r"(?ms)^```yaml\n(.*?)^```", text)]
    assert [sorted(snippet) for snippet in snippets] == [["Hooks"], ["hooks"]]
    ecs = yaml.safe_load((SAMPLES / "ecs" / "appspec.yaml").read_text())
    jsonschema.validate({**ecs, **snippets[0]}, SCHEMA)
    jsonschema.validate({"version": 0.0, "os": "linux", **snippets[1]}, SCHEMA)
    parameters = set(re.findall(r"(?m)^  (\w+):$", TEMPLATE.partition("Parameters:")[2].partition("Conditions:")[0]))
    commands = " ".join(re.findall(r"--parameter-overrides ([^\n]+)", text))
    named = set(re.findall(r"(\w+)=", commands)) | {"Hosts", "LongSuites", "Timeout", "TopicArn"}
    assert named <= parameters
    assert all(f"{name}=" in text or f"`{name}`" in text for name in named)
