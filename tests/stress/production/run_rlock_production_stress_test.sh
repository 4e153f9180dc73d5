#!/usr/bin/env bash
# The production stress test of RLocks: seven phases of them, profiled by sneck run.
#
#     run_rlock_production_stress_test.sh [seconds] [workers] [--yes]            60 s, 10 workers
#     run_rlock_production_stress_test.sh 60 20 --yes --verify                   and check what arrived, at an intake of our own
#     run_rlock_production_stress_test.sh 60 20 --yes --verify --sink pyroscope  file, agent, unix, agentless, pyroscope
#
# Where profiles go is chosen by variables, as always:
#     DD_AGENT_HOST, DD_TRACE_AGENT_URL          a Datadog agent
#     DD_PROFILING_AGENTLESS=1 DD_API_KEY=...    Datadog without one
#     PYROSCOPE_SERVER_ADDRESS                   Pyroscope
#     SNECK_OUTPUT                               files
# With none of them: files in sneck-profiles/.  PYTHON=/path/to/python chooses the interpreter that has sneck.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../../.." && pwd)

die() { printf 'run_rlock_production_stress_test: %s\n' "$*" >&2; exit 2; }
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

seconds='' workers='' yes='' verify='' options=()
while [ $# -gt 0 ]; do
	case $1 in
	--yes | -y) yes=1; shift ;;
	--verify) verify=1; shift ;;
	--auto) options+=(--auto); shift ;;
	--sink | --keep | --capture-pct | --interval) [ $# -gt 1 ] || die "$1 takes a value"; verify=1 options+=("$1" "$2"); shift 2 ;;
	--help | -h) usage; exit ;;
	*[!0-9.]* | '') usage >&2; die "what is $1?" ;;
	*) if [ -z "$seconds" ]; then seconds=$1; elif [ -z "$workers" ]; then workers=$1; else die "what is $1?"; fi; shift ;;
	esac
done
seconds=${seconds:-60} workers=${workers:-10}

python=${PYTHON:-}
if [ -z "$python" ]; then
	python=python3
	[ ! -x "$top/build/venv/bin/python" ] || python=$top/build/venv/bin/python
fi
# From a build that is not installed.
if ! "$python" -c 'import sneck' 2>/dev/null && [ -d "$top/build/stage/sneck" ]; then
	export PYTHONPATH=$top/build/stage${PYTHONPATH:+:$PYTHONPATH}
fi
"$python" -c 'import sneck' 2>/dev/null || die "$python has no sneck: run ./quickstart, or install it"

export DD_SERVICE=${DD_SERVICE:-rlock-production-stress-test} DD_ENV=${DD_ENV:-stress-test}
printf 'The production stress test: %s s, %s workers a phase; service %s, env %s\n' "$seconds" "$workers" "$DD_SERVICE" "$DD_ENV"
if [ -z "$yes" ]; then
	printf 'Run it [Y/n]? '
	read -r answer || answer=n
	case $answer in '' | [yY]*) ;; *) exit 0 ;; esac
fi

common=(--seconds "$seconds" --workers "$workers")
if [ -n "$verify" ]; then
	exec "$python" "$here/verify.py" "${common[@]}" "${options[@]}"
fi
if [ ${#options[@]} -gt 0 ]; then
	exec "$python" "$here/rlock_production_stress_test.py" "${common[@]}" "${options[@]}"
fi
exec "$python" -m sneck run "$here/rlock_production_stress_test.py" "${common[@]}"
