"""digits64: a space of 64 networks, each trained and measured on scikit-learn's digits, for several seeds.

Three layers, each a skip, an average pooling, or a convolution of size 1 or 3. The space is so small that every
expectation over it is a finite sum. `python -m nbnas.course.digits64` makes the table again (minutes).

```python
from nbnas.course import digits64

run = nb.search(digits64.space(), None, strategy, digits64.evaluator(), budget=nb.Budget(trials=100))
```
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from nbnas.errors import SettingsError
from nbnas.evaluators import Table, Tabular, Training
from nbnas.events import TrialProgressed
from nbnas.spaces import Architecture, Head, Network, OperationChain, SearchSpace, Stem
from nbnas.strategies import Proposal
from nbnas.tasks import Digits

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["EPOCHS", "SEEDS", "Measured", "evaluator", "measured", "space", "table", "task", "train", "training"]

EPOCHS = 9
SEEDS = (0, 1, 2, 3, 4)

FILE = "digits64.npz"
SHA256 = "fe9b801141ae3d87ce6438ef56b7efd47b2338854aef759d0f69c4cbfcad49a4"


class Measured(NamedTuple):
    """Everything in the table. Architectures are in the order of `space().enumerate()`.

    Attributes:
        architectures: the 64 short texts, `0-0-0` first.
        valid: accuracy on valid in [0, 1], shape (seeds, architectures, epochs).
        test: accuracy on test, likewise; for reports, no search reads it.
        parameters: trainable parameters, shape (architectures,).
        macs: multiply-adds for one image, shape (architectures,).
    """

    architectures: tuple[str, ...]
    valid: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]
    parameters: npt.NDArray[np.int64]
    macs: npt.NDArray[np.int64]


def space() -> SearchSpace:
    """4 operations at 3 places: 64 architectures, of which 40 differ in more than where they skip."""
    return SearchSpace("digits64", Network((Stem(16), OperationChain(name="body"), Head())))


def task() -> Digits:
    """The data that the networks are trained on."""
    return Digits()


def training() -> Training:
    """How each network is trained."""
    return Training(epochs=EPOCHS, batch=32, learning_rate=0.1)


def train(architecture: Architecture | str, seed: int, *, bound: BoundTask | None = None) -> tuple[float, ...]:
    """Trains one network as the table was made; the accuracy on valid after each epoch.

    Weights and order depend on the seed alone, not on the architecture: networks that differ in skips only are equal.

    Args:
        architecture: which network.
        seed: of weights and order.
        bound: the data; `valid` of these is what is scored. Those of `task()` on the CPU when `None`.
    """
    where = space()
    one = where.architecture(architecture) if isinstance(architecture, str) else architecture
    scoring = training().bind(where, task().bind("cpu") if bound is None else bound, seed).evaluate(0, Proposal(one))
    return tuple(item.metrics["valid_accuracy"] for item in scoring if isinstance(item, TrialProgressed))


@cache
def measured() -> Measured:
    """The whole table, as it ships with the package.

    Raises:
        SettingsError: the file is not the one that was published.
    """
    content = files(__package__).joinpath("data", FILE).read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != SHA256:
        raise SettingsError(f"{FILE} must have the SHA-256 {SHA256[:16]}…, got {digest[:16]}…. Install nbnas again")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        texts = tuple(str(text) for text in arrays["architecture"])
        valid, test = (arrays[f"{part}_right"] / int(arrays["items"]) for part in ("valid", "test"))
        found = Measured(texts, valid, test, arrays["parameters"], arrays["macs"])
    for array in found[1:]:
        array.flags.writeable = False  # it is shared
    return found


def table(seed: int | None = 0) -> Table:
    """What a search may read: accuracy on valid after the last epoch and after each, parameters, multiply-adds.

    Args:
        seed: of the trainings, one of `SEEDS`; `None` takes the mean over all of them.

    Raises:
        SettingsError: there is no such seed in the table.
    """
    if seed is not None and (isinstance(seed, bool) or seed not in SEEDS):
        raise SettingsError(
            f"seed must be one of {', '.join(map(str, SEEDS))}, or None, got {seed!r:.80}; in digits64."
        )
    found = measured()
    valid = found.valid.mean(axis=0) if seed is None else found.valid[SEEDS.index(seed)]
    columns: dict[str, npt.ArrayLike] = {"valid_accuracy": valid[:, -1]}
    columns |= {f"valid_accuracy_epoch_{epoch + 1}": valid[:, epoch] for epoch in range(EPOCHS)}
    return Table(found.architectures, {**columns, "parameters": found.parameters, "macs": found.macs})


def evaluator(seed: int | None = 0) -> Tabular:
    """Looks architectures up in `table(seed)`."""
    return Tabular(table(seed))  # type: ignore[arg-type]  # any table is made a name of it


def make(path: str | Path, seeds: Sequence[int] = SEEDS) -> str:
    """Trains all networks for the given seeds and writes the table; returns the SHA-256 of the file."""
    from nbnas.networks.measure import Inputs, cost

    where = space()
    every = list(where.enumerate())
    bound, right = _on_valid_and_test()
    items = len(bound.valid.y) // 2
    counts = np.empty((2, len(seeds), len(every), EPOCHS), np.uint16)
    for row, seed in enumerate(seeds):
        for place, one in enumerate(every):
            right.clear()
            train(one, seed, bound=bound)
            flags = np.concatenate(right).reshape(EPOCHS, 2, items)
            counts[:, row, place] = flags.sum(axis=2).T
        last = counts[0, row, :, -1] / items
        print(f"seed {seed}: valid accuracy {last.min():.3f} to {last.max():.3f}", flush=True)
    inputs = Inputs(bound.input_shape, bound.classes)
    costs = np.array([cost(where, one, inputs) for one in every])
    columns = {"valid_right": counts[0], "test_right": counts[1], "items": np.array(items, np.uint16)}
    columns |= {"architecture": np.array([str(one) for one in every]), "parameters": costs[:, 0], "macs": costs[:, 1]}
    np.savez_compressed(path, **columns)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _on_valid_and_test() -> tuple[BoundTask, list[npt.NDArray[np.bool_]]]:
    """The data with valid and then test in the place of valid, and a list that gets who was right, batch by batch.

    So that one training gives both. The training itself reads neither.
    """
    import torch

    bound = task().bind("cpu", with_test=True)
    right: list[npt.NDArray[np.bool_]] = []
    bound.valid = type(bound.valid)(*(torch.cat(pair) for pair in zip(bound.valid, bound.test, strict=True)))
    measure = bound.metrics

    def metrics(logits: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
        right.append((logits.argmax(dim=-1) == y).numpy())
        return measure(logits, y)

    bound.metrics = metrics  # type: ignore[method-assign]
    return bound, right


if __name__ == "__main__":
    out = Path(__file__).parent / "data" / FILE
    out.parent.mkdir(exist_ok=True)
    print(f'SHA256 = "{make(out)}"')
