#!/usr/bin/env python3
"""Seven phases of RLocks, as a service has them, for whoever profiles it.

    sneck run tests/stress/production/rlock_production_stress_test.py --seconds 60 --workers 10
    DD_AGENT_HOST=... python rlock_production_stress_test.py --auto

run_rlock_production_stress_test.sh is the comfortable way to start it; verify.py checks what arrived.
"""

import argparse
import json
import os
import sys
from typing import Any

if "--auto" in sys.argv:
    import sneck.auto  # noqa: F401  before anything else, as its users do

import phases


def collector() -> "dict[str, Any] | None":
    """What the profiler knows itself, if there is one: the first link of the chain that verify.py follows."""
    if "sneck" not in sys.modules:
        return None
    import sneck
    status = sneck.status()
    return {"running": status["running"], "refused": status["refused"], "stats": status["stats"], "upload": status["upload"],
            "capture_pct": status["options"]["capture_pct"]["value"], "lock_stats": sneck.lock_stats()}


def evidence(account: phases.Account) -> dict[str, Any]:
    return {"pid": os.getpid(), "truth": account.as_json(), "collector": collector()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for all phases together (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=10, help="threads of each phase (default: %(default)s)")
    parser.add_argument("--evidence", metavar="FILE", help="write what it counted, and what the profiler knows, as JSON")
    parser.add_argument("--auto", action="store_true", help="import sneck.auto first, instead of sneck run")
    arguments = parser.parse_args()
    if arguments.seconds <= 0 or not 1 <= arguments.workers <= 200:
        parser.error("some seconds, and 1 to 200 workers")
    account = phases.Account()
    for number, phase in enumerate(phases.PHASES, 1):
        print(f"phase {number} of {len(phases.PHASES)}: {phase.says}", flush=True)
        phases.run(phase, account, arguments.seconds / len(phases.PHASES), arguments.workers)
    if arguments.evidence:
        with open(arguments.evidence, "w", encoding="utf-8") as file:
            json.dump(evidence(account), file)
    elif "sneck" not in sys.modules:
        print("It was not profiled. Try: sneck run", sys.argv[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
