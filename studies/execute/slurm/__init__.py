"""SLURM: a plan becomes job arrays with dependencies, queued at once; nobody need stay.

`layout` says which task is which element of which array (it is pure), `script` writes the script of
an array (its `#SBATCH` lines are ours: submitit writes such lines only as it submits a pickle),
`queue` speaks with the scheduler, `submit` queues, `settle` finds out what became of jobs that are
gone, `snapshot` copies the code and writes the line of shell by which a script checks it, `job` is
what runs inside (submitit tells it which job it is), and `ending` is what the script does after it.
What differs from submitit's own ways, and why:

- A job gets no pickle: its script names the store and the array, all else is a file. submitit names
  pickles by job number after sbatch has returned, so a submitter killed between the two would leave
  jobs that cannot start.
- What is in the queue is looked up by the array's *name*, which stands in the store before sbatch
  is called, so nothing is lost if the submitter dies in between. `queued.json` only says that
  sbatch was reached; nobody reads its number.
- `aftercorr` starts a job when the element of the same index above it is done. Where one training
  is sampled many times, the samples therefore become several arrays, each with one element per
  training, instead of one array that would have to wait for every training. The number of arrays
  grows with what is asked of a network, not with seeds.
- Trainings of one trajectory to several lengths form a chain (`Task.after`, which `plan.chained`
  sets and which is no part of an address). A longer one waits for the shorter like for what it
  needs, so that it starts as soon as its own is done; waiting for the end of the whole array
  instead would hold up every seed for the slowest. Where the shorter one fails, the next submission
  replaces the jobs that waited for it; locally the longer one simply runs.
- A job of several tasks counts as failed only if none of them is done; every job looks for itself
  whether what its tasks need is there.
- Processes that train together (`iddpm/running/ranks.py`) are given to `train` as a value; only
  `job` knows how a cluster numbers them. The first claims and publishes the task, the others follow
  it (`worker.follow_task`), and if one dies srun ends all: the task counts as lost and the next run
  goes on from the last checkpoint. One that meets an error records it, as the first to do so, and
  srun ends all as well, since who waits at an exchange on a GPU cannot be told: the script calls
  srun again, for what is left of the job's tasks.
- srun is called by the script itself, from the folder of the logs and with a relative name: srun
  does not read every absolute path with a doubled `%`, sbatch does.
- How long a task takes of which nothing like it was measured is guessed (`guesses.py`) from its
  multiply-adds.
- A preempted job queues itself again: SLURM counts one that leaves within its grace time as
  failed, and many clusters cancel what they preempt. The shell of its own script does so. A job
  that follows it (`afternotok`) would take a place in the queue for every job, and need to plan
  again what the array was to do; a process that watches would have to live for days. Nothing can
  be queued twice, as the job keeps its number.
- A job that ends before it has begun anything does the same, away from its node. That saves what
  a bad node has swallowed this night; `--exclude` keeps from it what is submitted next. No running
  job refuses its node, since a bad one may not even start Python.
- Tasks side by side (`Resources.side_by_side`) are the tasks of one element, of which each process
  of its job takes what no other has: the claims of the store share them out, so nothing is planned
  for a process, and one that ends early helps with the rest. A task over which a process died is
  left alone by the others, lest it end them all. Tasks that use no GPU have jobs of their own: a
  place beside the GPUs would make them wait for one.
"""

from studies.execute.slurm.queue import SlurmError, is_here, require_scheduler
from studies.execute.slurm.submit import Submission, SubmitSettings, cancel, preview, submit

__all__ = [
    "SlurmError",
    "Submission",
    "SubmitSettings",
    "cancel",
    "is_here",
    "preview",
    "require_scheduler",
    "submit",
]
