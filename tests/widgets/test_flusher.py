"""The flusher: one thread, which lives as long as there are views and survives their errors."""

from __future__ import annotations

import threading
import time

import pytest

from nbnas.widgets.flusher import Flusher


class View:
    def __init__(self, *pauses):
        self.pauses = list(pauses)
        self.threads = []

    def flush(self):
        self.threads.append(threading.current_thread())
        return self.pauses.pop(0) if self.pauses else None


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_one_thread_flushes_all_views_and_ends_with_the_last():
    flusher = Flusher()
    views = [View(0.01, 0.01), View(0.01)]
    for view in views:
        flusher.add(view)
    flusher.join(5)
    assert not flusher.alive
    threads = {thread for view in views for thread in view.threads}
    assert len(threads) == 1
    assert threading.main_thread() not in threads
    assert [len(view.threads) for view in views] == [3, 2]


def test_it_starts_again_for_a_later_view():
    flusher = Flusher()
    for _ in range(2):
        view = View()
        flusher.add(view)
        flusher.join(5)
        assert len(view.threads) == 1


def test_a_broken_view_stops_no_other():
    class Broken(View):
        def flush(self):
            super().flush()
            raise RuntimeError("broken")

    flusher, broken, view = Flusher(), Broken(), View(*[0.01] * 5)
    flusher.add(broken)
    flusher.add(view)
    until(lambda: len(view.threads) == 6)
    assert flusher.errors == {id(broken): "RuntimeError: broken"}
    flusher.remove(broken)
    flusher.join(5)
    assert not flusher.alive
    assert flusher.errors == {}


def test_wake_flushes_at_once():
    flusher, view = Flusher(), View(60.0)
    flusher.add(view)
    until(lambda: len(view.threads) == 1)
    start = time.monotonic()
    flusher.wake(view)
    flusher.join(5)
    assert len(view.threads) == 2
    assert time.monotonic() - start < 1


def test_a_press_during_the_last_flush_is_not_lost():
    flusher = Flusher()

    class Pressed(View):
        def flush(self):
            if not self.threads:
                flusher.wake(self)
            return super().flush()

    view = Pressed()
    flusher.add(view)
    flusher.join(5)
    assert len(view.threads) == 2


@pytest.mark.parametrize("action", ["wake", "remove"])
def test_views_that_are_not_there_are_ignored(action):
    flusher = Flusher()
    getattr(flusher, action)(View())
    assert not flusher.alive
