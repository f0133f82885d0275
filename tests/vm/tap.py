# SPDX-License-Identifier: MIT
"""tap - what the tests of this directory say, and how they try things in a bed (bed.py)."""
import re

TRIES = 3
SAID_MAX = 3000


class Tap:
    def __init__(self, count=0):
        self.count = count

    def it(self, name, good, why=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            print("".join(f"# {line}\n" for line in str(why)[:SAID_MAX].splitlines()), end="", flush=True)

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)


def try_in(bed, files, script, timeout):
    """What the script says; a guest that the emulator lets stand is begun with once more."""
    for _ in range(TRIES):
        said = bed.run(files, script, timeout)
        if said is not None:
            return said
        print("# not done in time, once more; it said:")
        print("".join(f"#   {line}\n" for line in bed.said().splitlines()), end="", flush=True)
    return ""


def same_traces(said):
    """Are the lines after "before:" and "after:" the same two?"""
    found = dict(re.findall(r"^(before|after): (.*\ntraces: .*)$", said, re.M))
    return "before" in found and found["before"] == found.get("after") and " 0 ours" in found["before"]
