# SPDX-License-Identifier: MIT
"""What is known not to pass: files of lines "NAME-PATTERN OUTCOME[|OUTCOME] REASON". A test that no line names has to pass."""
import fnmatch
import sys


def read(path):
    """(pattern, outcomes, reason) of each line."""
    rules = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3:
            sys.exit(f"{path}:{number}: no reason is given")
        rules.append((words[0], words[1].split("|"), words[2]))
    return rules


def expected(rules, name):
    """The outcomes of the first line that names it."""
    return next((outcomes for pattern, outcomes, _ in rules if fnmatch.fnmatch(name, pattern)), ["passed"])


def differs(rules, name, outcome):
    return outcome not in expected(rules, name)


def read_run_file(path, wanted):
    """(name, command) of each test of an LTP run file, or of those that a pattern of `wanted` names."""
    tests = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        if not wanted or any(fnmatch.fnmatch(words[0], w) for w in wanted):
            tests.append((words[0], words[1] if len(words) > 1 else words[0]))
    return tests
