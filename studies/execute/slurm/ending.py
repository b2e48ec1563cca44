"""How the script of a job ends: when the job queues itself again, and when it blames its node.

The shell of the script does this and not the processes that it starts: it outlives them however
they end, and where a cluster ends a job by force it gets `KillWait` seconds more (30 by SLURM's
default), which is enough to ask and to tell the scheduler. It needs neither Python, which a bad
node may lack, nor whoever submitted. All that it does goes through `scontrol`:

- **Preempted.** A cluster that requeues what it preempts needs no help; one that cancels
  (`PreemptMode=CANCEL` of a partition, or of a QOS) does, and so does a job that saved and left
  within its time of grace, which SLURM counts as failed. Queued again it keeps its number, so what
  waits for it waits on (tried on SLURM 22.05). Whether a job that is being ended was preempted or
  cancelled by a person who asked at the same time, only the log of the job tells.
- **Lost.** A job of which nothing was seen to begin, which nobody told to end and which was not
  killed for memory, had a bad node. It is queued again elsewhere, twice, and leaves a file for its
  node (`studies/store/nodes.py`), by which what is submitted next stays away from it.

Where a task has failed that several processes did together, the script starts them anew, for what
is left to do. A time limit is not dealt with here: the processes are warned of it and save
(`job.py`).
"""

import shlex
from pathlib import Path

from studies.execute.worker import BEGAN

MOST_PREEMPTIONS = 100
"""So many times an element queues itself again after it was preempted, then the next run does."""

MOST_LOSSES = 2
"""So many times it does after it was lost before it had begun."""

PREEMPTED, LOST = "preempted", "lost"
"""Names of files in the array's folder, but for the index, that have a line for each time."""

DONE = "done"
"""Name of a file there, but for the index, once a task was done where tasks run side by side: then
the job has not failed, even if the process of another task was killed."""

WORDS_OF_PREEMPTION = "DUE TO PREEMPTION"
"""How the scheduler writes into the log of a job that it ends it for another."""

MEMORY_WORDS = ("oom-kill", "oom_kill", "exceeded memory limit", "Exceeded job memory limit")
"""How it writes there that a job was killed for memory."""

AGAIN = "again"
"""Name of a file there, but for the index, once a task has ended that several processes did
together: then they cannot go on, and others begin with what is left to do."""

TOLD_TO_END = 143
"""The status of a process that SIGTERM has ended."""

LOSS_SECONDS = 600
"""A job that ended later than this after its start is not blamed on its node, begun or not."""

FUNCTIONS = rf"""
told= asked=
me=${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID
log=${{me}}_0_log.out
began=$nodes/$SLURMD_NODENAME/began.$me
mkdir -p "$nodes/$SLURMD_NODENAME"
rm -f "$began" "{AGAIN}.$SLURM_ARRAY_TASK_ID"
before=$(cat "$log" | wc -c)
said() {{ tail -c "+$((before + 1))" "$log"; }}
preempted() {{
  case $(scontrol --all show job "$me") in
    *JobState=RUNNING*PreemptTime=[0-9]*) return 0 ;;
    *) said | grep -qF '{WORDS_OF_PREEMPTION}' ;;
  esac
}}
again() {{  # REASON TIMES: unless it was for this reason so many times
  date +%s >> "$1.$SLURM_ARRAY_TASK_ID" || return 1  # what cannot be counted has no end
  [ "$(cat "$1.$SLURM_ARRAY_TASK_ID" | wc -l)" -le "$2" ] && scontrol requeue "$me"
}}
away_from() {{  # NODE, as long as the partition has another one that will do
  [ ! "$choosy" ] || return 0
  out=$(scontrol --all show job "$me" | sed -n 's/.*ExcNodeList=\([^ (]*\).*/\1/p')
  out=${{out:+$out,}}$1
  sinfo --noheader --Node --partition="$SLURM_JOB_PARTITION" --format=%N |
    grep -vxF "$(scontrol show hostnames "$out")" > /dev/null &&
    scontrol update JobId="$me" ExcNodeList="$out"
}}
lost() {{
  [ $status != 0 ] && [ $status != {TOLD_TO_END} ] && [ $SECONDS -lt {LOSS_SECONDS} ] || return 1
  ! said | grep -qF {" ".join(f"-e {shlex.quote(words)}" for words in MEMORY_WORDS)}
}}
blamed() {{  # of several nodes the first that lost a process
  first=$(said | sed -n 's/^srun: error: \([^][ :]*\): task .*/\1/p' | head -n 1)
  echo "${{first:-$SLURMD_NODENAME}}"
}}
trap 'told=yes
if [ ! "$asked" ] && preempted; then asked=yes; again {PREEMPTED} {MOST_PREEMPTIONS}; fi' TERM
""".strip().splitlines()

MEANWHILE = rf"""
  step=$!
  wait $step
  status=$?
  [ ! "$told" ] && [ -e "{AGAIN}.$SLURM_ARRAY_TASK_ID" ] && rm "{AGAIN}.$SLURM_ARRAY_TASK_ID"
do
  echo "begins anew with the tasks that are left"
  export STUDIES_JOB_START=$(($(date +%s) + 1))  # what was claimed until now is free
done
""".strip("\n").splitlines()

AFTERWARDS = rf"""
if [ "$told" ]; then wait $step
elif [ $status != 0 ] && preempted; then again {PREEMPTED} {MOST_PREEMPTIONS}
elif [ ! -e "$began" ] && lost; then
  bad=$(blamed)
  echo "lost on $bad before it had begun"
  mkdir -p "$nodes/$bad"
  : > "$nodes/$bad/lost.$me.${{SLURM_RESTART_COUNT:-0}}"
  trap '' TERM  # which comes with the next line
  again {LOST} {MOST_LOSSES} && away_from "$bad"
fi
[ ! -e "$began" ] || mv -f "$began" "$nodes/$SLURMD_NODENAME/began"
[ $status -le 128 ] || [ ! -e "{DONE}.$SLURM_ARRAY_TASK_ID" ] || status=0
exit $status
""".strip().splitlines()


def watched(step: str, nodes: Path, *, choosy: bool) -> list[str]:
    """The lines that run a command in the folder of the logs, and see to how it ends.

    Args:
        step: The command.
        nodes: The folder that keeps what happened on which node.
        choosy: Whether not every node of the partition will do. Kept from the only one that does, a
            job would wait for ever, so it may come back to the node that lost it.
    """
    given = [f"nodes={shlex.quote(str(nodes))}", f"choosy={'yes' * choosy}"]
    export = f'export {BEGAN}="$began"'
    return [*given, *FUNCTIONS, export, "while", f"  {step} &", *MEANWHILE, *AFTERWARDS]
