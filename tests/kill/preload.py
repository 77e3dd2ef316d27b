"""What the fork server imports once, so that a child costs milliseconds. Nothing here starts threads."""

import torch
import torch._dynamo

import nbnas.evaluators.fit
import nbnas.networks.build
import nbnas.session
import nbnas.strategies.policies  # noqa: F401
from tests.kill import campaign

torch.set_num_threads(1)
campaign.task().load()
