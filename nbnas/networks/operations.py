"""Operations by name: the built-in ones, and one's own by the decorator `operation`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.errors import NbnasError, SpaceError, TrialError
from nbnas.networks.built_in import BUILT_IN
from nbnas.networks.layers import Form
from nbnas.spaces.operations import declare

__all__ = ["OwnOperation", "make", "operation"]

AnyFactory = TypeVar("AnyFactory", bound=Callable[..., nn.Module])

_own: dict[str, Callable[..., nn.Module]] = {}


def operation(name: str) -> Callable[[AnyFactory], AnyFactory]:
    """Declares an own operation: decorates `(in_channels, out_channels, stride) -> nn.Module`, a function or a class.

    The module maps (batch, in_channels, *sizes) to (batch, out_channels, *sizes divided by stride, rounded up). A
    factory that also takes `dims` (1 or 2) or `form` (search or evaluation) by name is given them. Declaring a name
    again replaces it, so that a notebook cell can be run again; networks that are already built keep the old one.

    Raises:
        SpaceError: the name is that of a built-in operation, or the factory does not take these arguments.
    """

    def decorate(factory: AnyFactory) -> AnyFactory:
        try:
            inspect.signature(factory).bind(1, 1, 1, **_wanted(factory, 1, "search"))
        except TypeError:
            raise SpaceError(
                f"operation {name!r:.80} must be a factory (in_channels, out_channels, stride) -> nn.Module, "
                f"got {factory!r:.120}"
            ) from None
        declare(name)
        _own[name] = factory
        return factory

    return decorate


def make(name: str, in_channels: int, out_channels: int, stride: int, *, dims: int, form: Form) -> nn.Module:
    """Makes the operation `name`, which maps (batch, in_channels, *sizes) to (batch, out_channels, *sizes / stride).

    Args:
        name: a built-in operation or one declared with `operation`.
        in_channels, out_channels: at least 1.
        stride: 1 or 2; sizes are divided by it and rounded up.
        dims: number of sizes: 1 for sequences, 2 for images.
        form: see `Form`.

    Raises:
        SpaceError: there is no such operation.
        TrialError: an own factory raised, or returned no module.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](in_channels, out_channels, stride, dims, form)
    if name not in _own:
        raise SpaceError(
            f"operation {name!r:.80} must be declared in this process, got none of that name; known: "
            f"{', '.join((*BUILT_IN, *_own))}. Run the cell with @nb.operation({name!r:.80}) first"
        )
    factory = _own[name]
    try:
        made = factory(in_channels, out_channels, stride, **_wanted(factory, dims, form))
    except (NbnasError, torch.OutOfMemoryError):
        raise
    except Exception as cause:
        where = f"in_channels={in_channels}, out_channels={out_channels}, stride={stride}"
        raise TrialError(f"operation {name!r} failed when made with {where}: {_said(cause)}") from cause
    if not isinstance(made, nn.Module):
        raise TrialError(f"operation {name!r} must make an nn.Module, got {made!r:.120}. Return it from the factory")
    return OwnOperation(name, made, out_channels, stride)


class OwnOperation(nn.Module):
    """An own operation, whose name stands in what it raises and whose output has the promised shape."""

    def __init__(self, name: str, module: nn.Module, out_channels: int, stride: int) -> None:
        super().__init__()
        self.name = name
        self.module = module
        self.out_channels = out_channels
        self.stride = stride

    @override
    def forward(self, x: Tensor) -> Tensor:
        version = x._version
        try:
            made = self.module(x)
        except (NbnasError, torch.OutOfMemoryError):
            raise
        except Exception as cause:
            raise TrialError(f"operation {self.name!r} failed on {tuple(x.shape)}: {_said(cause)}") from cause
        if x._version != version:
            raise TrialError(
                f"operation {self.name!r} must leave its input as it is, since others read it too, got one that "
                "changes it in place. Take inplace=False"
            )
        wanted = (x.shape[0], self.out_channels, *(-(-size // self.stride) for size in x.shape[2:]))
        got = tuple(made.shape) if isinstance(made, Tensor) else made
        if got != wanted:
            raise TrialError(f"operation {self.name!r} must turn {tuple(x.shape)} into {wanted}, got {got!r:.120}")
        output: Tensor = made
        return output


def _said(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause!s:.300}"


def _wanted(factory: Callable[..., nn.Module], dims: int, form: Form) -> dict[str, int | str]:
    offered: dict[str, int | str] = {"dims": dims, "form": form}
    names = inspect.signature(factory).parameters
    return {name: value for name, value in offered.items() if name in names}
