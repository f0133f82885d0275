#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""man.py PROGRAM MAN-DIRECTORY - do the manual pages say what the option tables say?

Each verb has a page PROGRAM-VERB.1.scd, whose section OPTIONS has exactly the
verb's options with their arguments; the synopsis has its operands; the
program's own page names each verb. All pages are formatted, without warnings.
"""
import glob
import os
import re
import shutil
import subprocess
import sys


def read_tables(program):
    """{verb: (operands, {"-u --user USER", ...})}"""
    out = subprocess.run([program, "completions", "table"], check=True, capture_output=True,
                         text=True).stdout
    verbs = {}
    for line in out.splitlines():
        kind, verb, *rest = line.split("\t")
        if kind == "verb":
            verbs[verb] = (rest[0], {"-h --help"})
            continue
        short, name, arg = rest
        words = ([] if short == "-" else ["-" + short]) + ["--" + name]
        verbs[verb][1].add(" ".join(words + ([] if arg == "-" else [arg])))
    return verbs


def plain(text):
    r"""scdoc's text without its marks: *bold*, _underlined_, \escaped."""
    return re.sub(r"\\(.)|[*_]", lambda m: m.group(1) or "", text)


def section(page, title):
    found = re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", page, re.M | re.S)
    return found.group(1) if found else ""


def page_options(page):
    """An option is a line that begins with a dash in bold and has an indented text below."""
    lines = re.findall(r"^(\*-.*)\n\t", section(page, "OPTIONS"), re.M)
    return {plain(line).replace(", ", " ") for line in lines}


def check_verb(operands, options, page):
    bad = [f"{o}: in the option table, not in the page" for o in sorted(options - page_options(page))]
    bad += [f"{o}: in the page, not in the option table" for o in sorted(page_options(page) - options)]
    if operands != "-" and operands not in plain(section(page, "SYNOPSIS")):
        bad.append(f"the synopsis lacks the operands '{operands}'")
    return bad


def check_format(path):
    with open(path, "rb") as source:
        roff = subprocess.run(["scdoc"], stdin=source, capture_output=True, check=False)
    if roff.returncode:
        return [f"scdoc: {roff.stderr.decode()}"]
    text = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-"], input=roff.stdout,
                          capture_output=True, check=False,
                          env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"))
    if text.returncode or text.stderr or not text.stdout:
        return [f"man: {text.stderr.decode()}"]
    return []


def results(program, mandir):
    """(name of the check, what is bad) of each check."""
    name = os.path.basename(program)
    paths = {os.path.basename(p)[:-len(".1.scd")]: p
             for p in sorted(glob.glob(f"{mandir}/{name}*.1.scd"))}
    pages = {}
    for page, path in paths.items():
        with open(path, encoding="utf-8") as f:
            pages[page] = f.read()
        yield f"{page} is formatted without warnings", check_format(path)
    verbs = read_tables(program)
    for verb, (operands, options) in verbs.items():
        page = f"{name}-{verb}"
        yield f"{page} has the options", check_verb(operands, options, pages.get(page, ""))
        yield f"{name} names {page}(1)", [] if f"{page}*(1)" in pages[name] else ["it does not"]
    lost = [page for page in pages if page != name and page[len(name) + 1:] not in verbs]
    yield f"each page of {name} has its verb", [f"{page}: no such verb" for page in lost]


def main():
    for tool in ("scdoc", "man"):
        if not shutil.which(tool):
            print(f"1..0 # skip {tool}: it is not installed")
            return
    count = 0
    for name, bad in results(*sys.argv[1:]):
        count += 1
        print(f"{'not ok' if bad else 'ok'} {count} - {name}")
        for line in bad:
            print("#", line)
    print(f"1..{count}")


main()
