"""`regie verifier cohort`: answer questions about residents who granted it, or ask them: nobody's data leave."""

import importlib
from typing import Any

import click

from protocol.canonical import to_builtins
from protocol.errors import Rejected
from service.command import command, emit, progress
from service.home import Home
from verifier.cohort import Finished, Noise, Progress, answer_question, reference_for, year_of
from verifier.cohort_asking import Told, ask_cohort, fetch_answer
from verifier.cohort_store import CohortStore, TakenIn
from verifier.desk import Desk

SHOWN_EVERY = 50
"""Residents between two lines of progress."""


@click.group("cohort")
def cohort() -> None:
    """Questions that only yes, no or a noised number answers."""


@cohort.command("ask")
@click.argument("url")
@click.argument("service")
@click.option("--party", required=True, help="OIN of the counting party at URL.")
@command
def ask(ctx: click.Context, home: Home, url: str, service: str, party: str) -> None:
    """Ask the counting party at URL the question of SERVICE; it names this agency as who may ask."""
    desk = Desk(home)
    _emit_told(ctx, ask_cohort(desk, CohortStore(home), party, url, service))


@cohort.command("fetch")
@click.argument("question", metavar="ID")
@command
def fetch(ctx: click.Context, home: Home, question: str) -> None:
    """Fetch the answer to a question that was asked before."""
    _emit_told(ctx, fetch_answer(Desk(home), CohortStore(home), question))


def _emit_told(ctx: click.Context, told: Told) -> None:
    answer = told.answer
    data: dict[str, Any] = {
        "id": told.id,
        "service": told.service.id,
        "state": "answered" if answer else "waiting",
    }
    if answer is None:
        emit(ctx, f"Asked. Fetch the answer later: regie verifier cohort fetch {told.id}", data)
        return
    if answer.count is not None and answer.epsilon_thousandths is not None:
        epsilon = answer.epsilon_thousandths / 1000
        human = f"About {answer.count} (noised, epsilon {epsilon:g})"
        emit(ctx, human, data | {"count": answer.count, "epsilon": epsilon})
        return
    yes, no = list(answer.yes or ()), list(answer.no or ())
    lines = [f"{reference}  yes" for reference in yes] + [f"{reference}  no" for reference in no]
    emit(ctx, "\n".join(lines) or "Nobody granted it.", data | {"yes": yes, "no": no})


@cohort.command("questions")
@command
def questions(ctx: click.Context, home: Home) -> None:
    """List what others asked here, and what is left of this year's epsilon."""
    desk, store = Desk(home), CohortStore(home)
    found, year = store.questions(), year_of(desk.now())
    listed = [service for service in desk.agency(desk.trust(desk.now())).services if service.answers == "count"]
    left = {
        service.id: (desk.config.cohort.yearly_thousandths - store.spent(service.id, year)) / 1000
        for service in listed
    }
    lines = [f"{each.id}  {each.service}  {'answered' if each.answered else 'waiting'}" for each in found]
    lines += [f"{name}: epsilon {rest:g} left in {year}" for name, rest in left.items()]
    data = {"questions": [_question(each) for each in found], "epsilon_left": left, "year": year}
    emit(ctx, "\n".join(lines) or "No questions yet.", data)


def _question(taken: TakenIn) -> dict[str, Any]:
    return {
        "id": taken.id,
        "service": taken.service,
        "version": taken.version,
        "asker": taken.asker,
        "received": taken.received,
        "answered": taken.answered,
        "epsilon": taken.epsilon / 1000,
    }


@cohort.command("answer")
@command
def answer(ctx: click.Context, home: Home) -> None:
    """Answer every question that waits: each resident's agreement is read once, with an entry in the log.

    Killed halfway it goes on where it was. Exit status 1 when one could not be answered: the others were. Numbers
    need the extra `figures` (OpenDP).
    """
    desk, store = Desk(home), CohortStore(home)
    waiting = store.waiting(desk.now())
    noise = _noise() if any(taken.epsilon for taken in waiting) else _no_noise
    finished, refused = list[Finished](), list[tuple[TakenIn, Rejected]]()
    for taken in waiting:
        try:
            finished.append(answer_question(desk, store, taken, noise, lambda step: _tell(ctx, step)))
        except Rejected as error:  # of this question: another one may well be answered
            refused.append((taken, error))
    lines = [f"{each.id}  {each.service}  {each.read} residents, {each.left_out} left out" for each in finished]
    lines += [f"{each.id}  {each.service}  not answered: {error.detail} ({error.code})" for each, error in refused]
    data = {
        "answered": [_finished(each) for each in finished],
        "not_answered": [{"id": each.id, "service": each.service, "code": error.code} for each, error in refused],
    }
    emit(ctx, "\n".join(lines) or "No question waits.", data)
    if refused:
        ctx.exit(1)


def _finished(done: Finished) -> dict[str, Any]:
    return dict(
        to_builtins({"id": done.id, "service": done.service, "read": done.read, "left_out": done.left_out})
    )


def _tell(ctx: click.Context, step: Progress) -> None:
    if step.done % SHOWN_EVERY == 0 or step.done == step.total:
        progress(ctx, f"{step.done} of {step.total}")


def _noise() -> Noise:
    """OpenDP is optional, and takes long to load: only who tells a number needs it."""
    found: Any = importlib.import_module("verifier.noise")
    return lambda count, epsilon: int(found.laplace([count], bound=1, epsilon=epsilon)[0])


def _no_noise(count: int, epsilon: float) -> int:
    raise RuntimeError("no question that waits asks for a number")


@cohort.command("reference")
@click.argument("grant_id", metavar="ID")
@command
def reference(ctx: click.Context, home: Home, grant_id: str) -> None:
    """Say what the asker will know the resident of a request by: it means nothing to anybody else."""
    found = reference_for(Desk(home), grant_id)
    emit(ctx, found, {"reference": found})
