"""States of torch: what comes back is the same to the bit, so that a resumed training repeats."""

import copy

import numpy as np
import pytest

from nbnas.errors import StoreError
from nbnas.store import RunStore, verify

torch = pytest.importorskip("torch")


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return (
            isinstance(b, torch.Tensor)
            and (a.dtype, a.shape) == (b.dtype, b.shape)
            and torch.equal(
                a.detach().cpu().contiguous().reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8)
            )
        )
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def again(store: RunStore, state: dict) -> dict:
    digest = store.save_resume_point(3, state)
    assert digest is not None
    assert verify(store.run_id) == []
    return store.resume_point().state


def train(model, optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()


def network():
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.999), weight_decay=1e-3),
    "adamw amsgrad": lambda p: torch.optim.AdamW(p, amsgrad=True),
    "sgd momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_training_repeats_to_the_bit(store: RunStore, name: str) -> None:
    torch.manual_seed(1)
    model = network()
    optimizer = OPTIMIZERS[name](model.parameters())
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    train(model, optimizer, 3)
    scheduler.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "torch": torch.get_rng_state(),
        "numpy": np.random.default_rng(4).bit_generator.state,
    }
    before = copy.deepcopy(state)
    back = again(store, state)
    assert same(before, back)
    assert name == "sgd" or all(type(key) is int for key in back["optimizer"]["state"])
    train(model, optimizer, 3)
    expected = model.state_dict()

    other = network()
    other.load_state_dict(back["model"])
    optimizer = OPTIMIZERS[name](other.parameters())
    optimizer.load_state_dict(back["optimizer"])
    torch.set_rng_state(back["torch"])
    train(other, optimizer, 3)
    assert same(dict(expected), dict(other.state_dict()))


def test_strange_tensors_come_back(store: RunStore) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "0-dim": torch.tensor(3.5),
        "empty": torch.empty(0, 3),
        "bool": torch.tensor([True, False]),
        "transposed": base.T,
        "strided": base[::2, 1::2],
        "slice": base[1],
        "other slice of the same memory": base[2],
        "whole": base,
        "expanded": torch.ones(1, 3).expand(5, 3),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "not a leaf": torch.nn.Parameter(torch.randn(3)) * 2,
        "nan payload": torch.tensor([0x7FC00123, -1], dtype=torch.int32).view(torch.float32),
        "negative zero": torch.tensor(-0.0),
        "conjugate": torch.tensor([1 + 2j], dtype=torch.complex64).conj(),
        "nested": [[{"a": (torch.ones(1), None, True, 1, 0.1, "x")}], []],
        "arrays too": [np.arange(5, dtype="u2"), np.float32(0.1)],
        **{str(dtype): torch.ones(3).to(dtype) for dtype in
           (torch.bfloat16, torch.float16, torch.float64, torch.int8, torch.uint8, torch.int64, torch.float8_e4m3fn)},
    }  # fmt: skip
    back = again(store, state)
    expected = {**state, "conjugate": state["conjugate"].resolve_conj()}
    for key in expected:
        assert same(expected[key], back[key]), key
    assert back["parameter"].requires_grad is False
    assert not same(torch.tensor(0.0), torch.tensor(-0.0))  # the comparison sees bits


def test_shared_tensors_stay_shared_and_views_do_not(store: RunStore) -> None:
    weight = torch.randn(3)
    back = again(store, {"a": weight, "b": [weight], "view": weight[:]})
    assert back["a"] is back["b"][0]
    back["a"].zero_()
    assert same(back["view"], weight)


def test_what_is_saved_is_not_altered(store: RunStore) -> None:
    weight = torch.nn.Parameter(torch.randn(3, 2).T)
    before = weight.detach().clone()
    store.save_resume_point(3, {"w": weight})
    assert weight.requires_grad
    assert weight.stride() == (1, 2)
    assert torch.equal(weight, before)


def test_equal_states_have_equal_digests(store: RunStore) -> None:
    digests = {store.save_resume_point(3, {"a": torch.arange(5), "b": torch.ones(2)}) for _ in range(3)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(2, dtype=torch.complex128), torch.eye(3).to_sparse(), torch.empty(3, device="meta")],
    ids=["complex128", "sparse", "meta"],
)
def test_a_kind_that_safetensors_lacks_is_refused(store: RunStore, tensor) -> None:
    store.save_resume_point(3, {"a": 1})
    with pytest.raises(StoreError, match="tensors must be of a kind"):
        store.save_resume_point(3, {"a": tensor})
    assert store.resume_point().state == {"a": 1}


def test_other_tools_can_read_a_checkpoint(store: RunStore) -> None:
    from safetensors.torch import load_file

    model = network()
    digest = store.save_result("best", {"weights": model.state_dict()})
    tensors = load_file(store.path / "checkpoints" / digest)
    assert torch.equal(tensors["weights.0.weight"], model[0].weight)


@pytest.mark.gpu
def test_tensors_of_a_gpu_come_back_on_the_cpu(store: RunStore) -> None:
    back = again(store, {"w": torch.arange(6.0, device="cuda").reshape(2, 3).T})
    assert torch.equal(back["w"], torch.arange(6.0).reshape(2, 3).T)
