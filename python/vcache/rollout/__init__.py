"""A new policy or configuration for a part of the keys at first, and back by itself if it is worse.

from vcache.rollout import Rollout

rollout = Rollout(Cache(redis=URL), Cache(redis=URL, policy="learned"), name="learned")
rollout.get_or_set("user:1", load)   # as of a Cache; each key is in one of the two
print(rollout.report())
"""

from __future__ import annotations

from ._judge import Limits
from ._report import Event, RolloutReport, SideReport
from ._rollout import Rollout
from ._stages import STAGES, Stage

__all__ = ["STAGES", "Event", "Limits", "Rollout", "RolloutReport", "SideReport", "Stage"]
