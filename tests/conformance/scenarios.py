"""The one list of scenarios: every promise made concrete.

A scenario is a function that plays jobs on a bench and asserts what a user sees and what reached the service. Its id
is the row of the matrix, its docstring the promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reflect_ci import exits
from tests.conformance.frame import Bench


@dataclass(frozen=True)
class Scenario:
    """One row: id, the promise in one sentence, what is played, and whether something may be left running."""

    id: str
    promise: str
    act: Callable[[Bench], None]
    leaves: bool = False

    def play(self, bench: Bench) -> None:
        """Play it; afterwards nothing may be left running."""
        self.act(bench)
        if not self.leaves:
            bench.nothing_running()


SCENARIOS: list[Scenario] = []


def scenario(id_: str, *, leaves: bool = False) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Enter a function into the list."""

    def enter(act: Callable[[Bench], None]) -> Callable[[Bench], None]:
        assert act.__doc__, id_
        SCENARIOS.append(Scenario(id_, act.__doc__.strip(), act, leaves))
        return act

    return enter


# --- the verdict ---------------------------------------------------------------------------------------------------


@scenario("passed")
def _(bench: Bench) -> None:
    """A suite that passed is green, with its link in the log and every report written."""
    seen = bench.run("passes")
    bench.ends(seen, exits.PASSED, "passes", "/executions/" + bench.sim.started[0].id)
    bench.started("passes")
    bench.followed("passes")
    bench.reported(seen, "passed", "passes")


@scenario("passed-later")
def _(bench: Bench) -> None:
    """A suite that runs for a while is waited for."""
    seen = bench.run("takes-2")
    bench.ends(seen, exits.PASSED)
    bench.started("takes-2")
    assert bench.sim.started[0].finished


@scenario("failed")
def _(bench: Bench) -> None:
    """A suite with a failed test is red, and the log names the failure."""
    seen = bench.run("fails")
    bench.ends(seen, exits.FAILED, "fails", "failed")
    bench.started("fails")
    bench.reported(seen, "failed", "fails")


@scenario("failed-row")
def _(bench: Bench) -> None:
    """An execution that calls itself passed but has a failed test is red."""
    bench.ends(bench.run("mixed"), exits.FAILED)
    bench.followed("mixed")


@scenario("passed-on-retry")
def _(bench: Bench) -> None:
    """A test that the service repeated and that then passed is green."""
    bench.ends(bench.run("retried"), exits.PASSED)
    bench.followed("retried")


@scenario("canceled")
def _(bench: Bench) -> None:
    """An execution that somebody canceled on the service is red."""
    bench.ends(bench.run("canceled"), exits.CANCELED, "cancel")


@scenario("empty")
def _(bench: Bench) -> None:
    """A suite in which nothing ran is red."""
    bench.ends(bench.run("empty"), exits.EMPTY, "allow-empty")


@scenario("empty-allowed")
def _(bench: Bench) -> None:
    """A suite in which nothing ran is green when the user allowed it."""
    bench.ends(bench.run("empty", allow_empty="true"), exits.PASSED)
    bench.followed("empty")


@scenario("several-suites")
def _(bench: Bench) -> None:
    """Of several suites the worst verdict wins, and each was started once."""
    seen = bench.run("passes fails retried")
    bench.ends(seen, exits.FAILED, "passes", "fails", "retried")
    bench.started("fails", "passes", "retried")
    bench.reported(seen, "failed", "passes", "fails", "retried")


# --- the key and other bad input -----------------------------------------------------------------------------------


@scenario("key-refused")
def _(bench: Bench) -> None:
    """A key that the service refuses is red, and nothing was started."""
    seen = bench.run("passes", key="wrong-key")
    bench.ends(seen, exits.AUTH, "key")
    bench.started()
    bench.reported(seen, "auth")


@scenario("key-missing")
def _(bench: Bench) -> None:
    """Without a key the step is red before anything is called, and says which variable to set."""
    seen = bench.run("passes", key=None)
    bench.ends(seen, exits.USAGE, "REFLECT_API_KEY")
    bench.not_called()


@scenario("key-missing-skip")
def _(bench: Bench) -> None:
    """Without a key the step is skipped with a notice when the user chose that, as for pull requests from forks."""
    seen = bench.run("passes", key=None, missing_key="skip")
    bench.ends(seen, exits.PASSED, "skip")
    bench.not_called()


@scenario("key-placeholder")
def _(bench: Bench) -> None:
    """A secret that the platform did not expand is refused before anything is called."""
    seen = bench.run("passes", key=bench.adapter.placeholder)
    bench.ends(seen, exits.USAGE)
    bench.not_called()


@scenario("key-echoed")
def _(bench: Bench) -> None:
    """A key that the service repeats in its error message is in no log and no report."""
    seen = bench.run("echo-key")
    bench.ends(seen, exits.SERVICE)
    bench.reported(seen, "service")


@scenario("suite-unknown")
def _(bench: Bench) -> None:
    """A suite that does not exist is red, and the log names it."""
    seen = bench.run("no-such-suite")
    bench.ends(seen, exits.NOT_FOUND, "no-such-suite")
    bench.started()
    bench.reported(seen, "not-found")


@scenario("suite-hostile")
def _(bench: Bench) -> None:
    """A suite id full of shell syntax is refused and has no effect."""
    hostile = f'"; touch {bench.tmp}/pwned; $(touch {bench.tmp}/pwned) `touch {bench.tmp}/pwned`'
    bench.ends(bench.run(hostile), exits.USAGE)
    bench.not_called()
    assert not list(bench.tmp.rglob("pwned*"))


@scenario("variables-hostile")
def _(bench: Bench) -> None:
    """A variable's value full of shell syntax reaches the service to the letter and has no other effect."""
    value = f"\"'; touch {bench.tmp}/pwned; $(touch {bench.tmp}/pwned) & echo \\ % !"
    bench.ends(bench.run("passes", variables=f"NASTY={value}"), exits.PASSED)
    assert bench.bodies()[0]["variables"] == {"NASTY": value}
    assert not list(bench.tmp.rglob("pwned*"))


@scenario("input-unknown-word")
def _(bench: Bench) -> None:
    """A word that an input does not know is refused before anything is called, and the log says which are known."""
    bench.ends(bench.run("passes", on_timeout="later"), exits.USAGE, "leave")
    bench.not_called()


# --- a service in trouble ------------------------------------------------------------------------------------------


@scenario("throttled")
def _(bench: Bench) -> None:
    """A start that was throttled is repeated when the service asks for it, and runs once."""
    bench.ends(bench.run("throttled"), exits.PASSED)
    bench.started("throttled")


@scenario("poll-unavailable")
def _(bench: Bench) -> None:
    """A short outage while waiting changes nothing."""
    bench.ends(bench.run("unavailable-poll"), exits.PASSED)
    bench.started("unavailable-poll")
    bench.followed("unavailable-poll")


@scenario("late")
def _(bench: Bench) -> None:
    """An execution that the service cannot find yet right after its start is waited for."""
    bench.ends(bench.run("late"), exits.PASSED)
    bench.started("late")
    bench.followed("late")


@scenario("start-refused")
def _(bench: Bench) -> None:
    """A start that the service refuses is red, with the service's own words."""
    bench.ends(bench.run("bad-request"), exits.SERVICE, "400")
    bench.started()


@scenario("start-ambiguous-not-started")
def _(bench: Bench) -> None:
    """A start that was cut off is not repeated blindly: at most one execution exists, and the step is not green without it."""
    seen = bench.run("cut-before")
    bench.ends(seen, exits.UNKNOWN_START)
    bench.started()
    bench.reported(seen, "unknown-start")


@scenario("start-ambiguous-started")
def _(bench: Bench) -> None:
    """A start whose answer was cut off is found again on the service, not repeated."""
    bench.ends(bench.run("cut-after"), exits.PASSED)
    bench.started("cut-after")
    bench.followed("cut-after")


@scenario("start-failed-but-started")
def _(bench: Bench) -> None:
    """A start that answered 503 although it happened is found again on the service, not repeated."""
    bench.ends(bench.run("start-503-created"), exits.PASSED)
    bench.started("start-503-created")
    bench.followed("start-503-created")


@scenario("start-broken")
def _(bench: Bench) -> None:
    """A service that fails at the start makes the step red."""
    bench.ends(bench.run("start-500"), exits.UNKNOWN_START, "500")
    bench.started()


@scenario("start-html")
def _(bench: Bench) -> None:
    """A start that is answered by a web page (a proxy's, say) makes the step red."""
    bench.ends(bench.run("start-html"), exits.UNKNOWN_START)


@scenario("redirected")
def _(bench: Bench) -> None:
    """A redirect is not followed: the key goes to no other address."""
    seen = bench.run("start-redirect")
    assert not seen.green, seen.log
    assert any(call.method == "POST" for call in bench.sim.calls), seen.log
    assert {call.path.split("?")[0] for call in bench.sim.calls} <= {
        "/suites",
        "/tests",
        "/suites/start-redirect/executions",
    }


# --- time and cancellation -----------------------------------------------------------------------------------------


@scenario("deadline")
def _(bench: Bench) -> None:
    """An execution that does not end is canceled on the service at the deadline, and the step is red."""
    seen = bench.run("never-ends", timeout="3s")
    bench.ends(seen, exits.TIMED_OUT)
    assert len(bench.cancels()) == 1
    bench.reported(seen, "timed-out", "never-ends")


@scenario("deadline-leave", leaves=True)
def _(bench: Bench) -> None:
    """At the deadline the execution is left running when the user chose that; the step is red all the same."""
    bench.ends(bench.run("never-ends", timeout="3s", on_timeout="leave"), exits.TIMED_OUT)
    assert bench.cancels() == []
    assert len(bench.sim.running()) == 1


@scenario("job-cancelled")
def _(bench: Bench) -> None:
    """A job that is cancelled in the middle leaves nothing running on the service."""
    seen = bench.run("never-ends", cancel_when="started")
    assert not seen.green, seen.log
    bench.started("never-ends")


@scenario("job-cancelled-several")
def _(bench: Bench) -> None:
    """A job with several suites that is cancelled in the middle leaves none of them running."""
    seen = bench.run("never-ends takes-12", cancel_when="started")
    assert not seen.green, seen.log
    assert bench.sim.started


@scenario("conflict-cancel", leaves=True)
def _(bench: Bench) -> None:
    """Older executions of the suite are canceled first when the user chose that."""
    bench.run("never-ends", wait="false")
    seen = bench.run("never-ends", wait="false", conflict="cancel")
    bench.ends(seen, exits.PASSED)
    bench.started("never-ends", "never-ends")
    assert [started.id for started in bench.sim.running()] == [bench.sim.started[1].id]


# --- start now, collect later --------------------------------------------------------------------------------------


@scenario("start-only")
def _(bench: Bench) -> None:
    """A step that only starts says that it did not wait for the verdict."""
    seen = bench.run("fails", wait="false")
    bench.ends(seen, exits.PASSED, "start", bench.sim.started[0].id)
    bench.started("fails")


@scenario("collected-later")
def _(bench: Bench) -> None:
    """Another step waits for the verdicts of executions that were started before."""
    bench.run("fails passes", wait="false")
    executions = " ".join(f"{started.suite}/{started.id}" for started in bench.sim.started)
    seen = bench.run(command="wait", executions=executions)
    bench.ends(seen, exits.FAILED, "fails", "passes")
    bench.started("fails", "passes")


@scenario("cancel-step")
def _(bench: Bench) -> None:
    """A step of its own cancels what was started, and an execution that is already over is no error."""
    bench.run("never-ends passes", wait="false")
    executions = " ".join(f"{started.suite}/{started.id}" for started in bench.sim.started)
    assert bench.sim.wait_for(lambda sim: len(sim.running()) == 1)
    bench.ends(bench.run(command="cancel", executions=executions), exits.PASSED)


# --- what reaches the service --------------------------------------------------------------------------------------


@scenario("hosts")
def _(bench: Bench) -> None:
    """A host override reaches the service; a URL as replacement is reduced to its host and port."""
    seen = bench.run("passes", hosts="www.example.com=https://preview-7.example.com:8443/start?x=1")
    bench.ends(seen, exits.PASSED)
    overrides = bench.bodies()[0]["overrides"]
    assert overrides == {"hostnames": [{"original": "www.example.com", "replacement": "preview-7.example.com:8443"}]}


@scenario("variables")
def _(bench: Bench) -> None:
    """Variables reach the service as text, also what looks like a number or holds `=`, quotes and other scripts."""
    bench.ends(bench.run("passes", variables='BUILD=007\nQUERY=a=b&c="d"\nNAME=Zoë Łuć'), exits.PASSED)
    assert bench.bodies()[0]["variables"] == {"BUILD": "007", "QUERY": 'a=b&c="d"', "NAME": "Zoë Łuć"}


@scenario("overrides")
def _(bench: Bench) -> None:
    """The raw overrides reach the service, with the named inputs over them."""
    raw = '{"agent": {"name": "raw"}, "headers": [{"name": "X-Raw", "value": "1"}]}'
    bench.ends(bench.run("passes", overrides=raw, tunnel="office"), exits.PASSED)
    overrides = bench.bodies()[0]["overrides"]
    assert isinstance(overrides, dict)
    assert overrides["agent"] == {"name": "office"}
    assert overrides["headers"] == [{"name": "X-Raw", "value": "1"}]


@scenario("commit")
def _(bench: Bench) -> None:
    """The commit that the user named reaches the service."""
    sha = "0123456789abcdef0123456789abcdef01234567"
    bench.ends(bench.run("passes", commit=f"octo-org/shop@{sha}"), exits.PASSED)
    assert bench.bodies()[0]["gitHub"] == {"owner": "octo-org", "repo": "shop", "sha": sha}


@scenario("report-dir")
def _(bench: Bench) -> None:
    """The reports are written where the user asked for them, when tests failed as well."""
    seen = bench.run("fails", report_dir="out/e2e reports")
    bench.ends(seen, exits.FAILED)
    bench.followed("fails")
    bench.reported(seen, "failed", "fails")
