#!/bin/bash

# Parameters
#SBATCH --account=us
#SBATCH --array=0-1%5
#SBATCH --comment='two words'
#SBATCH --constraint='fast&new'
#SBATCH --cpus-per-task=3
#SBATCH --exclude='node[1-3]'
#SBATCH --exclusive
#SBATCH --gpus-per-node=a100:4
#SBATCH --job-name=train.study.TOKEN-0
#SBATCH --kill-on-invalid-dep=yes
#SBATCH --mem=1536M
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --open-mode=append
#SBATCH --output=STORE/submissions/train.study.TOKEN-0/%A_%a_0_log.out
#SBATCH --partition=big
#SBATCH --qos=high
#SBATCH --requeue
#SBATCH --reservation=maintenance
#SBATCH --signal=USR2@300
#SBATCH --time=90

# setup
found=$(set -o pipefail; cd STORE/code/DIGEST && find . ! -type d -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum) && [ "$found" = "DIGEST  -" ] || { echo 'STORE/code/DIGEST: expected the code that was submitted, found it changed' | tee STORE/submissions/train.study.TOKEN-0/changed_code.$SLURM_ARRAY_TASK_ID; exit 1; }
export PYTHONPATH=STORE/code/DIGEST
export STUDIES_FOLDER="$PWD"
export STUDIES_EXECUTOR=slurm
export STUDIES_JOB_START=$(date +%s)
export STUDIES_JOB_END=$(($(date +%s) + 5400))
export STUDIES_FIRST_NODE=$(hostname)
export PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1

# command
export SUBMITIT_EXECUTOR=slurm
cd STORE/submissions/train.study.TOKEN-0
nodes=STORE/nodes
choosy=yes
told= asked=
me=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
log=${me}_0_log.out
began=$nodes/$SLURMD_NODENAME/began.$me
mkdir -p "$nodes/$SLURMD_NODENAME"
rm -f "$began" "again.$SLURM_ARRAY_TASK_ID"
before=$(cat "$log" | wc -c)
said() { tail -c "+$((before + 1))" "$log"; }
preempted() {
  case $(scontrol --all show job "$me") in
    *JobState=RUNNING*PreemptTime=[0-9]*) return 0 ;;
    *) said | grep -qF 'DUE TO PREEMPTION' ;;
  esac
}
again() {  # REASON TIMES: unless it was for this reason so many times
  date +%s >> "$1.$SLURM_ARRAY_TASK_ID" || return 1  # what cannot be counted has no end
  [ "$(cat "$1.$SLURM_ARRAY_TASK_ID" | wc -l)" -le "$2" ] && scontrol requeue "$me"
}
away_from() {  # NODE, as long as the partition has another one that will do
  [ ! "$choosy" ] || return 0
  out=$(scontrol --all show job "$me" | sed -n 's/.*ExcNodeList=\([^ (]*\).*/\1/p')
  out=${out:+$out,}$1
  sinfo --noheader --Node --partition="$SLURM_JOB_PARTITION" --format=%N |
    grep -vxF "$(scontrol show hostnames "$out")" > /dev/null &&
    scontrol update JobId="$me" ExcNodeList="$out"
}
lost() {
  [ $status != 0 ] && [ $status != 143 ] && [ $SECONDS -lt 600 ] || return 1
  ! said | grep -qF -e oom-kill -e oom_kill -e 'exceeded memory limit' -e 'Exceeded job memory limit'
}
blamed() {  # of several nodes the first that lost a process
  first=$(said | sed -n 's/^srun: error: \([^][ :]*\): task .*/\1/p' | head -n 1)
  echo "${first:-$SLURMD_NODENAME}"
}
trap 'told=yes
if [ ! "$asked" ] && preempted; then asked=yes; again preempted 100; fi' TERM
export STUDIES_BEGAN="$began"
while
  srun --unbuffered --output %A_%a_%t_log.out --kill-on-bad-exit=1 --export=ALL --cpus-per-task=3 PYTHON -P -m studies.execute.slurm.job STORE train.study.TOKEN-0 &
  step=$!
  wait $step
  status=$?
  [ ! "$told" ] && [ -e "again.$SLURM_ARRAY_TASK_ID" ] && rm "again.$SLURM_ARRAY_TASK_ID"
do
  echo "begins anew with the tasks that are left"
  export STUDIES_JOB_START=$(($(date +%s) + 1))  # what was claimed until now is free
done
if [ "$told" ]; then wait $step
elif [ $status != 0 ] && preempted; then again preempted 100
elif [ ! -e "$began" ] && lost; then
  bad=$(blamed)
  echo "lost on $bad before it had begun"
  mkdir -p "$nodes/$bad"
  : > "$nodes/$bad/lost.$me.${SLURM_RESTART_COUNT:-0}"
  trap '' TERM  # which comes with the next line
  again lost 2 && away_from "$bad"
fi
[ ! -e "$began" ] || mv -f "$began" "$nodes/$SLURMD_NODENAME/began"
[ $status -le 128 ] || [ ! -e "done.$SLURM_ARRAY_TASK_ID" ] || status=0
exit $status
