#!/usr/bin/env python3
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
    return {plain(line).replace(",", "") for line in lines}


def check_verb(name, operands, options, page):
    bad = [f"{o}: in the option table, not in the page" for o in options - page_options(page)]
    bad += [f"{o}: in the page, not in the option table" for o in page_options(page) - options]
    synopsis = plain(section(page, "SYNOPSIS"))
    if operands != "-" and operands not in synopsis:
        bad.append(f"the synopsis lacks the operands '{operands}'")
    return [f"{name}: {b}" for b in bad]


def check_format(path):
    roff = subprocess.run(["scdoc"], stdin=open(path, "rb"), capture_output=True, check=False)
    if roff.returncode:
        return [f"{path}: scdoc: {roff.stderr.decode()}"]
    text = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-"], input=roff.stdout,
                          capture_output=True, check=False,
                          env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"))
    if text.returncode or text.stderr or not text.stdout:
        return [f"{path}: man: {text.stderr.decode()}"]
    return []


def need(tool):
    if not shutil.which(tool):
        print(f"skip: no {tool} here")
        sys.exit(1 if tool in os.environ.get("MUST_RUN", "").split(",") else 77)


def main():
    program, mandir = sys.argv[1:]
    name = os.path.basename(program)
    need("scdoc")
    need("man")
    pages = {os.path.basename(p)[:-len(".1.scd")]: p for p in glob.glob(f"{mandir}/{name}*.1.scd")}
    verbs = read_tables(program)
    text = {page: open(path, encoding="utf-8").read() for page, path in pages.items()}
    bad = []
    for verb, (operands, options) in verbs.items():
        page = f"{name}-{verb}"
        if page not in pages:
            bad.append(f"{page}: no such page")
            continue
        bad += check_verb(page, operands, options, text[page])
        if f"{page}*(1)" not in text.get(name, ""):
            bad.append(f"{name}: does not name {page}(1)")
    bad += [f"{page}: no such verb" for page in sorted(set(pages) - {name})
            if page[len(name) + 1:] not in verbs]
    for path in pages.values():
        bad += check_format(path)
    print("\n".join(bad) if bad else f"{len(pages)} pages, {len(verbs)} verbs: the same")
    sys.exit(bool(bad))


main()
