"""The engine of tests/platforms/jenkins does what Jenkins does where the tests of the library rely on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.platforms.jenkins.engine import ENGINE_OF_THIS_PROCESS, Built, Job, agent_environment

VENDORS = """
pipeline {
stages {
stage('Regression Test') {
steps {
script {
httpRequest(url: 'https://api.reflect.run/v1/suites/smoke/executions', httpMode: 'POST', customHeaders: [[name: 'x-api-key', value: '${API_KEY}']], requestBody: '{}')
}
}
}
}
}
"""


def build(text: str, tmp: Path, credentials: Mapping[str, str] | None = None, **more: Any) -> Built:
    """Run a Jenkinsfile that does not touch the library."""
    job = Job(text, tmp / "workspace", credentials or {}, agent_environment(tmp), **more)
    return ENGINE_OF_THIS_PROCESS.build(job)


def test_restart_at_every_step(tmp_path: Path) -> None:
    """Locals, loops, closures and what branches share survive a restart at each step."""
    text = """
    def seen = [:]
    def add = { name, value -> seen[name] = value }
    for (n in [1, 2]) { echo "n ${n}"; add("n${n}", n) }
    [a: 1].each { key, value -> echo key; add(key, value) }
    parallel(x: { echo 'x'; add('x', 1) }, y: { sleep 1; add('y', 2) })
    return seen
    """
    built = build(text, tmp_path)
    assert built.result == "SUCCESS", built.log
    assert built.returned == {"n1": 1, "n2": 2, "a": 1, "x": 1, "y": 2}
    assert built.restarts >= 6


def test_what_cannot_be_written_to_disk(tmp_path: Path) -> None:
    """A local that is not serializable fails the build at the next step, as in Jenkins."""
    built = build("def m = ('a' =~ /a/)\necho 'one'\necho \"${m}\"", tmp_path)
    assert built.result == "FAILURE"
    assert "NotSerializableException: java.util.regex.Matcher" in built.log


def test_environment_is_taken_to_the_letter(tmp_path: Path) -> None:
    """withEnv expands nothing, removes by an empty value, and PATH+NAME puts a folder in front."""
    text = r"""node {
      withEnv(['A=1']) {
        withEnv(['B=$A $$ ${A}', 'A=', 'PATH+TOOLS=/opt/tools']) { sh '''#!/bin/sh
          echo "<$B> <${A-unset}> <${PATH%%:*}>"''' }
      }
    }"""
    assert "<$A $$ ${A}> <unset> </opt/tools>" in build(text, tmp_path).log


def test_script_is_traced_without_an_interpreter_line(tmp_path: Path) -> None:
    """sh traces and stops at the first failure, unless the script names its interpreter."""
    built = build("node { sh 'echo $((40 + 2)); false; echo never' }", tmp_path)
    assert built.result == "FAILURE"
    assert "+ echo 42" in built.log
    assert "never" not in built.log.replace("echo never", "")
    assert "+ " not in build("node { sh '#!/bin/sh\\necho $((40 + 2))' }", tmp_path).log


def test_credentials_are_masked(tmp_path: Path) -> None:
    """A bound credential shows as **** in the log, is gone after its block, and a missing one is an exception."""
    text = """node {
      withCredentials([string(credentialsId: 'k', variable: 'K')]) { sh '#!/bin/sh\\necho "is $K"' }
      sh '#!/bin/sh\\necho "then <$K>"'
      withCredentials([string(credentialsId: 'none', variable: 'K')]) { echo 'never' }
    }"""
    built = build(text, tmp_path, {"k": "secret-value"})
    assert "is ****" in built.log
    assert "is secret-value" in built.raw
    assert "then <>" in built.log
    assert "CredentialNotFoundException: Could not find credentials entry with ID 'none'" in built.log


def test_time_limit_and_abort_signal_the_process(tmp_path: Path) -> None:
    """A time limit sends SIGTERM to the script's processes, waits for them, and throws into the Pipeline."""
    text = """node {
      try {
        timeout(time: 5, unit: 'SECONDS') { sh '#!/bin/sh\\ntrap "echo cleaned; exit 3" TERM\\nsleep 60 & wait' }
      } catch (e) { echo "caught ${e.class.simpleName}" }
      echo 'after'
    }"""
    built = build(text, tmp_path)
    assert built.result == "SUCCESS", built.log
    order = [
        "Sending interrupt signal",
        "cleaned",
        "script returned exit code 3",
        "caught FlowInterruptedException",
        "after",
    ]
    places = [built.log.index(text) for text in order]
    assert places == sorted(places)


def test_parallel_throws_when_all_have_ended(tmp_path: Path) -> None:
    """A failed branch fails the build after the others have ended; with failFast it interrupts them."""
    text = "parallel(a: { error 'no' }, b: { sleep 1; echo 'b ended' })"
    built = build(text, tmp_path)
    assert built.result == "FAILURE"
    assert "b ended" in built.log
    built = build(text.replace("a:", "failFast: true, a:").replace("sleep 1", "sleep 30"), tmp_path)
    assert built.result == "FAILURE"
    assert "b ended" not in built.log


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (VENDORS, 'Missing required section "agent"'),
        (VENDORS.replace("stages {", "agent any\nstages {", 1), "No such DSL method 'httpRequest'"),
        ("pipeline { agent any }", 'Missing required section "stages"'),
        ("pipeline { agent any\nstages { stage('a') { } } }", "Expected one of steps, stages, or parallel"),
        ("pipeline { agent any\nstagez { stage('a') { steps { echo 'a' } } } }", 'Undefined section "stagez"'),
        ("node { reflectFly suites: 'a' }", "No such DSL method 'reflectFly'"),
    ],
)
def test_what_jenkins_refuses(tmp_path: Path, text: str, sentence: str) -> None:
    """A Pipeline that Jenkins refuses fails here, too; the vendor's snippet is one."""
    built = build(text, tmp_path)
    assert built.result == "FAILURE"
    assert sentence in built.log


def test_post_conditions(tmp_path: Path) -> None:
    """The conditions of a Declarative `post` follow the result, and the build's own failure stays."""
    text = """pipeline {
      agent any
      stages { stage('a') { steps { script { RESULT } } } }
      post {
        always { echo 'is always' }
        success { echo 'is success' }
        unstable { echo 'is unstable' }
        failure { echo 'is failure' }
        aborted { echo 'is aborted' }
      }
    }"""
    for step, result in (("echo 'fine'", "success"), ("unstable 'so-so'", "unstable"), ("error 'bad'", "failure")):
        built = build(text.replace("RESULT", step), tmp_path)
        assert built.result == result.upper()
        assert [line for line in built.log.splitlines() if line.startswith("is ")] == ["is always", f"is {result}"]
