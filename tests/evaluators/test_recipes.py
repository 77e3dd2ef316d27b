"""Recipes in a search: each field has its effect, exactly, and hyper-parameters are searched with the architecture."""

from __future__ import annotations

import dataclasses
import threading

import pytest
import torch
from torch import nn

import nbnas as nb
from nbnas.errors import NbnasError, SpaceError
from nbnas.evaluators import Training
from nbnas.evaluators.fit import fit_epoch, score
from nbnas.evaluators.recipes import PerItem, Practice, check_recipes
from nbnas.events import TrialFinished
from nbnas.retraining import retraining
from nbnas.session import Candidate
from nbnas.spaces import Choice, Head, Network, Real, SearchSpace, Stem
from nbnas.spaces.recipe import Recipe
from nbnas.strategies import Proposal
from tests.fixtures.runs import DEADLINE, images, semantic

SETTINGS = {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 5e-4}


def space_of(*recipes, stem=None):
    return SearchSpace("s", Network((stem or Stem(4), Head(), *recipes)))


@pytest.fixture(scope="module")
def task():
    return images().bind("cpu")


def scored(space, task, chosen="", settings=None):
    evaluation = (
        (settings or Training(epochs=2, batch=8)).bind(space, task, 0).evaluate(1, Proposal(space.architecture(chosen)))
    )
    while True:
        try:
            next(evaluation)
        except StopIteration as end:
            return dict(end.value.metrics)


@pytest.fixture(scope="module")
def plain(task):
    return scored(space_of(), task)


def test_a_space_without_recipe_is_trained_as_before(task, plain):
    """By hand: SGD with Nesterov, weights and order from their seeds, no augmentation."""
    from nbnas.networks import build
    from nbnas.seeds import seed_of

    settings, space = Training(epochs=2, batch=8), space_of()
    network = build(space, space.architecture(""), task, seed=seed_of(0, "weights", 1))
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
    for epoch in range(2):
        first, last = settings.learning_rates(epoch)
        order = torch.Generator().manual_seed(seed_of(0, "order", 1, epoch))
        for done, (x, y) in enumerate(task.batches(task.train, 8, order, drop_last=True)):
            optimizer.param_groups[0]["lr"] = first + (last - first) * done / (len(task.train.y) // 8)
            optimizer.zero_grad()
            task.loss(network(x), y).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
    assert score(network, task, task.valid)["loss"] == plain["valid_loss"]


@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe("sgd", 0.05, 0.9, 5e-4, 0.0, "none", "none")], ids=["empty", "same"]
)
def test_a_recipe_that_says_the_same_changes_no_bit(recipe, task, plain):
    assert scored(space_of(recipe), task) == plain


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adam"},
        {"optimizer": "adamw"},
        {"learning_rate": 0.01},
        {"momentum": 0.0},
        {"weight_decay": 0.1},
        {"label_smoothing": 0.1},
        {"augmentation": "shift"},
        {"augmentation": "flip"},
        {"augmentation": "cutout"},
        {"augmentation": "noise"},
        {"normalisation": "per_item"},
    ],
    ids=str,
)
def test_each_field_has_an_effect(fields, task, plain):
    """And the same one whether it is given or chosen."""
    given = scored(space_of(Recipe(**fields)), task)
    assert given["train_loss"] != plain["train_loss"]
    assert given["parameters"] == plain["parameters"]
    (name, value), = fields.items()  # fmt: skip
    assert scored(space_of(Recipe(**{name: Choice(value)})), task, "0") == given


def test_learning_rate_momentum_and_weight_decay_are_those_of_the_settings(task):
    values = {"learning_rate": 0.01, "momentum": 0.5, "weight_decay": 0.01}
    settings = Training(epochs=2, batch=8, **values)
    assert scored(space_of(Recipe(**values)), task) == scored(space_of(), task, settings=settings)
    other = Training(epochs=2, batch=8, momentum=0.5)
    assert scored(space_of(Recipe(learning_rate=0.01, weight_decay=0.01)), task, settings=other) == scored(
        space_of(), task, settings=settings
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_the_optimizer_is_that_of_torch(name, kind):
    practice = Practice.of({"optimizer": name, "momentum": 0.7}, **SETTINGS)
    optimizer = practice.make_optimizer(nn.Linear(2, 2))
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.05, 5e-4)
    assert group["momentum"] == 0.7 if name == "sgd" else group["betas"] == (0.7, 0.999)


def test_label_smoothing_is_that_of_torch(task):
    """The loss of an epoch at learning rate 0 is the mean of torch's own."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    practice = Practice.of({"label_smoothing": 0.2}, **SETTINGS)
    order = torch.Generator().manual_seed(0)
    epoch = fit_epoch(network, task, task.train, practice.make_optimizer(network), order, batch=8,
                      learning_rates=(0, 0), label_smoothing=practice.label_smoothing)  # fmt: skip
    while True:
        try:
            next(epoch)
        except StopIteration as end:
            loss = end.value
            break
    wanted = nn.functional.cross_entropy(network(task.train.x), task.train.y, label_smoothing=0.2)
    assert loss == pytest.approx(float(wanted.detach()), rel=1e-5)


def test_per_item_normalisation(task):
    seen = []
    PerItem(nn.Identity()).register_forward_hook(lambda module, given, found: seen.append(found))
    x = torch.randn(5, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 7 + 3
    found = PerItem(nn.Identity())(x).flatten(1)
    assert torch.allclose(found.mean(1), torch.zeros(5, dtype=x.dtype), atol=1e-12)
    assert torch.allclose(found.std(1, correction=0), torch.ones(5, dtype=x.dtype), rtol=1e-6)
    assert torch.equal(PerItem(nn.Identity())(torch.full((1, 1, 2, 2), 3.0)), torch.zeros(1, 1, 2, 2))


def test_retraining_follows_the_recipe_and_what_is_said_comes_first():
    space = space_of(Recipe(Choice("adam", "sgd"), 0.01, normalisation="per_item"))

    def trained(chosen, **said):
        candidate = Candidate(space.architecture(chosen), 0.5, 1, space, images())
        training = retraining(candidate, epochs=1, device="cpu", batch=8, **said)
        while True:
            try:
                next(training)
            except StopIteration as end:
                return end.value

    adam, sgd = trained("0"), trained("1")
    assert adam.losses != sgd.losses
    assert isinstance(adam.model, PerItem)  # the model takes inputs as they are in the task
    x = images().bind("cpu").valid.x
    assert torch.allclose(adam.model(x), adam.model(x * 3 + 1), atol=1e-4)
    assert trained("0", learning_rate=0.01).losses == adam.losses != trained("0", learning_rate=0.02).losses


@pytest.mark.parametrize(
    ("task", "recipe", "said"),
    [
        (
            nb.tasks.breast_cancer(),
            Recipe(augmentation=Choice("none", "flip")),
            "augmentation must be none or noise .*vectors",
        ),
        (nb.tasks.characters(), Recipe(augmentation="noise"), "augmentation must be none for a task of tokens"),
        (nb.tasks.characters(), Recipe(normalisation="per_item"), "normalisation must be none for a task of tokens"),
    ],
    ids=["vectors", "noise on tokens", "normalised tokens"],
)
def test_what_cannot_be_done_with_the_inputs_is_said_before_any_trial(task, recipe, said):
    bound = task.bind("cpu")
    with pytest.raises(SpaceError, match=rf"{said}, got .*/component/parts/2/(augmentation|normalisation)"):
        check_recipes(space_of(recipe), bound)
    check_recipes(space_of(Recipe("adam", augmentation="none")), bound)
    if bound.inputs == "values":
        check_recipes(space_of(Recipe(augmentation="noise", normalisation="per_item")), bound)


# -- searched ----------------------------------------------------------------------------------------------------------

BOTH = SearchSpace(
    "both",
    Network(
        (
            Stem(Choice(4, 8), kernel=Choice(1, 3)),
            Head(),
            Recipe(
                Choice("sgd", "adam"),
                Real(1e-3, 1e-1, log=True, steps=5),
                momentum=Choice(0.0, 0.9, when={"optimizer": ["sgd"]}),
                augmentation=Choice("none", "shift"),
            ),
        )
    ),
)


@pytest.mark.parametrize(
    "strategy", [nb.strategies.RandomSearch(), nb.strategies.RegularizedEvolution(population=4, tournament=2)]
)
def test_recipe_and_architecture_are_searched_together_and_resumed_exactly(strategy, monkeypatch):
    def start(background):
        return nb.search(
            BOTH,
            nb.tasks.digits(),
            strategy,
            Training(epochs=1, batch=256),
            budget=nb.Budget(trials=6),
            seed=0,
            background=background,
        )

    whole = start(background=False)
    trials = [event for event in whole.events if isinstance(event, TrialFinished)]
    assert len(trials) == 6
    recipes = [BOTH.component.recipe(BOTH.options(BOTH.architecture(str(event.architecture)))) for event in trials]
    assert len({recipe["learning_rate"] for recipe in recipes}) > 1
    assert {"momentum" in recipe for recipe in recipes} == {True, False}  # it is decided for sgd alone

    reached, go = threading.Event(), threading.Event()
    calls = []

    def gated(*given, **keywords):
        calls.append(1)
        if len(calls) == 3:
            reached.set()
            assert go.wait(DEADLINE)
        return score(*given, **keywords)

    monkeypatch.setattr("nbnas.evaluators.fit.score", gated)
    part = start(background=True)
    assert reached.wait(DEADLINE)
    part.stop()
    go.set()
    part.wait()
    assert sum(isinstance(event, TrialFinished) for event in part.events) in (2, 3)
    part.resume()
    part.wait()
    assert semantic(part) == semantic(whole)


def test_one_shot_searches_say_that_a_recipe_must_be_closed():
    space = SearchSpace(
        "s", Network((nb.spaces.CellNetwork(3, ("none", "skip"), channels=2, cells=1), Recipe(Choice("sgd", "adam"))))
    )
    for strategy, evaluator in (
        (nb.strategies.Darts(), None),
        (nb.strategies.Reinforce(), nb.evaluators.SharedWeights()),
    ):
        with pytest.raises(NbnasError, match=r"recipe.*\(optimizer\) cannot be mixed.*Close it, or score with nb.eval"):
            nb.search(space, images(), strategy, evaluator, budget=nb.Budget(epochs=1), background=False)
    closed = dataclasses.replace(space.component, parts=(space.component.parts[0], Recipe("adam")))
    run = nb.search(SearchSpace("s", closed), images(), nb.strategies.Darts(batch=8), budget=nb.Budget(epochs=1),
                    background=False)  # fmt: skip
    assert run.incumbent is not None
