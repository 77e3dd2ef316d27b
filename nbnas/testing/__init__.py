"""Contract suites: what every strategy and every search must do, so that your own can be tested too.

```python
from nbnas.testing import check_strategy

def test_my_strategy():
    check_strategy(MyStrategy(population=5))
```
`check_strategy` is for a strategy that is asked and told, `check_differentiable` for one that trains a supernet, and
`check_search` for any whole specification, hence for evaluators too. Each raises `AssertionError` that names what is
wrong. They find broken promises (chance from elsewhere, state that is not saved, architectures that do not exist), not
a wrong algorithm: test a fact of the paper as well.
"""

from nbnas.testing.searches import check_search
from nbnas.testing.strategies import Score, check_differentiable, check_strategy, tiny_spaces, tiny_task

__all__ = ["Score", "check_differentiable", "check_search", "check_strategy", "tiny_spaces", "tiny_task"]
