"""Run one process and tell what it cost; a program of its own, because it must be small.

On Linux a process's peak memory counts what its parent held when it was started, so a parent that has loaded
much cannot measure its children. Usage: launch.py FILE PROGRAM [ARGUMENT...]; the costs are written to FILE.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    report, *arguments = sys.argv[1:]
    started = time.perf_counter()
    pid = os.posix_spawnp(arguments[0], arguments, os.environ)
    _, status, usage = os.wait4(pid, 0)
    costs = {
        "wall": time.perf_counter() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_rss": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    with open(report, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would add to what is measured
        json.dump(costs, file)
    sys.exit(os.waitstatus_to_exitcode(status))
