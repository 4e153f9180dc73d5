#!/usr/bin/env bash
# A menu of the RLock demos: each is run profiled, and the table of its locks is shown.
#
#     examples/run_rlock_demos.sh                                 asks which one
#     examples/run_rlock_demos.sh --demo simple --yes             asks nothing
#     examples/run_rlock_demos.sh --demo stress --yes --seconds 60 --workers 20
#
# PYTHON=/path/to/python chooses the interpreter that has sneck (default: build/venv's, else python3).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")

names=(simple heavy stress)
files=(rlock_simple_demo.py rlock_heavy_contention.py rlock_stress_test.py)
says=("30 s, 10 workers: a bank and its log"
	"60 s, 15 workers: one lock for all, three deep"
	"60 s, 20 workers: counters, a cache, readers and writers")

die() { printf 'run_rlock_demos: %s\n' "$*" >&2; exit 2; }

usage() {
	printf 'usage: %s [--demo NAME] [--yes] [--verify] [--seconds N] [--workers N] [--profiles DIR]\n\n' "${0##*/}"
	menu
	printf '\n  --yes      ask nothing\n  --verify   check the profile against what the demo counted itself\n'
}

menu() {
	local i
	for i in "${!names[@]}"; do
		printf '  %d  %-7s %s\n' $((i + 1)) "${names[i]}" "${says[i]}"
	done
}

python=${PYTHON:-}
if [ -z "$python" ]; then
	python=python3
	[ ! -x "$top/build/venv/bin/python" ] || python=$top/build/venv/bin/python
fi
# From a build that is not installed.
if ! "$python" -c 'import sneck' 2>/dev/null && [ -d "$top/build/stage/sneck" ]; then
	export PYTHONPATH=$top/build/stage${PYTHONPATH:+:$PYTHONPATH}
fi

demo='' yes='' verify='' profiles=sneck-profiles
options=()
while [ $# -gt 0 ]; do
	case $1 in
	--demo | --seconds | --workers | --profiles) [ $# -gt 1 ] || die "$1 takes a value" ;;&
	--demo) demo=$2; shift 2 ;;
	--seconds | --workers) options+=("$1" "$2"); shift 2 ;;
	--profiles) profiles=$2; shift 2 ;;
	--yes | -y) yes=1; shift ;;
	--verify) verify=--verify; shift ;;
	--help | -h) usage; exit ;;
	*) usage >&2; die "what is $1?" ;;
	esac
done

"$python" -c 'import sneck' 2>/dev/null || die "$python has no sneck: run ./quickstart, or install it"

choose() {
	local i
	for i in "${!names[@]}"; do
		case $demo in "${names[i]}" | "$((i + 1))" | "${files[i]}") file=${files[i]}; return ;; esac
	done
	die "there is no demo '$demo'; there are ${names[*]}"
}

if [ -z "$demo" ]; then
	[ -z "$yes" ] || die "--yes needs --demo NAME: one of ${names[*]}"
	printf 'Which demo?\n\n'
	menu
	printf '\nIts number or name: '
	read -r demo || die "nothing chosen"
fi
choose
if [ -z "$yes" ]; then
	printf 'Run %s, profiles to %s/ [Y/n]? ' "$file" "$profiles"
	read -r answer || answer=n
	case $answer in '' | [yY]*) ;; *) exit 0 ;; esac
fi

# A folder for each run, so that a report tells of one.
folder=$profiles/${file%.py}-$(date +%Y%m%d-%H%M%S)
mkdir -p "$folder"
if [ -n "$verify" ]; then
	exec "$python" "$here/$file" --verify --profiles "$folder" "${options[@]}"
fi
"$python" -m sneck run --output "$folder/" "$here/$file" "${options[@]}"
"$python" -m sneck report "$folder"
