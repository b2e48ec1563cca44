"""Whose a claim is when a cluster's job goes on with it on another machine."""

from dataclasses import replace

import pytest

from studies.store.ownership import Claim, Observer, Place, here, new_claim

AFAR = Place(host="elsewhere", boot="another", namespace="another")


@pytest.fixture
def claim(monkeypatch: pytest.MonkeyPatch) -> Claim:
    """The claim that job 7 made on another machine; the test's process is of job 7 as well."""
    monkeypatch.setenv("STUDIES_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    return replace(new_claim("train-0", attempt=1), place=AFAR)


def is_dead(claim: Claim) -> bool:
    return Observer().is_dead(claim, b"beat")


def test_a_job_that_was_queued_again_takes_its_own_claim_over_at_once(claim: Claim) -> None:
    assert (claim.executor, claim.job) == ("slurm", "7")
    assert is_dead(claim)


@pytest.mark.parametrize("job", ["8", None])
def test_another_jobs_claim_is_left_to_it(
    claim: Claim, monkeypatch: pytest.MonkeyPatch, job: str | None
) -> None:
    if job is None:
        monkeypatch.delenv("SLURM_JOB_ID")
    else:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    assert not is_dead(claim)


def test_a_run_by_hand_inside_the_job_is_not_the_job(
    claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_dead(replace(claim, executor="inline"))
    monkeypatch.delenv("STUDIES_EXECUTOR")
    assert not is_dead(claim)


def test_two_runs_without_a_job_are_not_of_one_job(
    claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIES_EXECUTOR", "local")
    monkeypatch.delenv("SLURM_JOB_ID")
    assert not is_dead(replace(claim, executor="local", job=None))


def test_on_one_machine_a_live_process_of_the_same_job_keeps_its_claim(claim: Claim) -> None:
    assert not is_dead(replace(claim, place=here()))
    assert is_dead(replace(claim, place=here(), process_start="1"))
