"""Moves the clock of a Python process by CLOCK_SKEW_SECONDS; found through PYTHONPATH."""

import os
import time

skew = float(os.environ.get("CLOCK_SKEW_SECONDS") or 0)
if skew:
    import time_machine

    time_machine.travel(time.time() + skew, tick=True).start()
