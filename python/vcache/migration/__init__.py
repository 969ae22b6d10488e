"""From one embedding model to another, without an answer that mixes them.

from vcache.migration import Migration

migration = Migration(old, new)             # two EmbeddingCaches
job = migration.start(texts, rate=200)      # embeds in the background what `new` has not
migration.embed(queries)                    # of the model that serves: the old one until then
migration.cut_over(least=0.99)              # from here on the new one; roll_back() goes back
"""

from __future__ import annotations

from ._coverage import Coverage
from ._job import Job, Progress
from ._migration import Answer, Migration, MigrationReport
from ._phases import Event

__all__ = ["Answer", "Coverage", "Event", "Job", "Migration", "MigrationReport", "Progress"]
