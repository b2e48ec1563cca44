"""Which runs, where, and what they add up to: the front door from Python.

    import studies

    study = studies.run_sweep("sigma_ablation", seeds=[0])  # or studies.open("store")[...]
    study.results()
    study.verdicts()

`studies.opened` says more. Each name is loaded when it is first asked for: `import studies` loads
neither torch nor pandas.
"""

from typing import TYPE_CHECKING

from iddpm.registry import lazily

if TYPE_CHECKING:
    from iddpm.bounds import ConfigError as ConfigError
    from studies.analyses.index import checked as checked
    from studies.opened import Studies as Studies
    from studies.opened import Study as Study
    from studies.opened import open as open
    from studies.opened import run_sweep as run_sweep
    from studies.plan.plan import Plan as Plan
    from studies.plan.plan import expand as expand
    from studies.spec.sweep import SweepSpec as SweepSpec
    from studies.spec.sweep import read_sweep as read_sweep
    from studies.store.checksums import StoreError as StoreError
    from studies.store.store import Store as Store
    from studies.tasks.task import Task as Task
else:
    __getattr__, __dir__ = lazily(
        {
            "iddpm.bounds": ["ConfigError"],
            "studies.analyses.index": ["checked"],
            "studies.opened": ["Studies", "Study", "open", "run_sweep"],
            "studies.plan.plan": ["Plan", "expand"],
            "studies.spec.sweep": ["SweepSpec", "read_sweep"],
            "studies.store.checksums": ["StoreError"],
            "studies.store.store": ["Store"],
            "studies.tasks.task": ["Task"],
        },
    )
