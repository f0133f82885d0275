#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py SHELL DEMO [PROGRAM...] - types command lines into a real shell and compares what it offers.

bash and zsh run on a pseudo-terminal: the line is typed, one key inserts every
candidate into it, another writes the line to a file. fish has "complete -C".
What each must offer stands in CASES. The scripts of the other programs, which are
made from the same templates, have to be of good syntax. The result is TAP.
"""
import os
import pty
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 200  # only what hangs takes so long
NAMES = ["web", "db", "docker:web2", "docker:weird", "$(touch pwned)", "`touch pwned`",
         "it's; touch pwned", "-rf"]
FILES = ["subdir", "sfile.tar"]
D = ["db", "docker:web2", "docker:weird"]

# The line, and the candidates; {shell: ...} where shells rightly differ.
CASES = [
    ("demo at", ["attach"]),
    ("demo p", ["ps"]),
    ("demo attach --vi", ["--view"]),
    ("demo ps --n", ["--names"]),
    ("demo attach --view ", ["bind", "union"]),
    ("demo attach --view=b", ["--view=bind"]),
    ("demo attach --tools ho", ["host"]),
    ("demo attach --tools=ho", ["--tools=host"]),
    ("demo attach -w s", ["subdir"]),
    ("demo attach --workdir s", ["subdir"]),
    ("demo attach --tools s", FILES),
    ("demo load s", FILES),
    ("demo completions ", ["bash", "zsh", "fish"]),
    ("demo disk ", ["make", "show"]),
    ("demo disk m", ["make"]),
    ("demo disk s", ["show"]),
    ("demo disk show s", FILES),
    ("demo disk show sfile.tar s", []),
    ("demo dump d", D),
    ("demo dump web s", FILES),
    ("demo dump web sfile.tar s", []),
    ("demo attach ", NAMES),
    ("demo inspect ", NAMES),
    ("demo attach d", D),
    ("demo attach docker:we", D[1:]),
    ("demo attach -u root d", D),
    ("demo attach -tu root d", D),
    ("demo attach -uroot d", D),
    ("demo attach --env A=b --user=root d", D),
    ("demo attach --tools d", D),
    ("demo attach -- d", D),
    ("demo attach web --vi", ["--view"]),
    ("demo attach web zzcom", ["zzcommand"]),
    ("demo attach web -- zzcom", ["zzcommand"]),
    ("demo attach docker:web2 --rw -- zzcom", ["zzcommand"]),
    ("demo attach web -- zzcommand s", FILES),
    ("demo attach web zzcommand s", FILES),
    ("demo attach web zzcommand --vi", []),
    ("demo attach web -- --vi", []),
    ("demo inspect web zz", []),
    ("demo ps zz", []),
    ("demo nonsense zz", []),
]

BASH_RC = r"""
PS1='' HISTFILE= ; set +o history
bind 'set enable-bracketed-paste off'
bind 'set bell-style none'
bind '"\C-xa": insert-completions'
bind -x '"\C-xd": printf %s "$READLINE_LINE" >out.tmp; mv out.tmp out'
"""

ZSH_RC = r"""
PS1='' ; unset HISTFILE
zstyle ':completion:*' menu no
setopt no_beep no_list_beep
fpath=($PWD/fpath $fpath)
autoload -Uz compinit && compinit -u -d $PWD/zcompdump
all() { _main_complete; compstate[insert]=all; compstate[list]= }
dump() { print -rn -- "$BUFFER" >out.tmp; mv out.tmp out }
zle -C all complete-word all
zle -N dump
bindkey '^Xa' all
bindkey '^Xd' dump
bindkey '^U' kill-whole-line
"""


class Terminal:
    """A shell on a pseudo-terminal that is typed into."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb" if "bash" in argv[0] else "xterm"
            os.execvp(argv[0], argv)
        os.set_blocking(self.fd, False)
        self.seen = b""

    def wait_for(self, path):
        end = time.monotonic() + PATIENCE_S
        while not os.path.exists(path):
            try:
                self.seen += os.read(self.fd, 65536)
            except BlockingIOError:
                pass
            except OSError:
                break
            if time.monotonic() > end:
                break
            time.sleep(0.005)
        if not os.path.exists(path):
            sys.exit(f"the shell does not answer; it said: {self.seen[-2000:]!r}")

    def complete(self, line):
        if os.path.exists("out"):
            os.unlink("out")
        os.write(self.fd, b"\x15" + line.encode() + b"\x18a\x18d")
        self.wait_for("out")
        with open("out", encoding="utf-8") as f:
            return f.read()

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def typed_word(line):
    return line[line.rfind(" ") + 1:]


def candidates(line, after, breaks):
    """What was inserted; readline puts what stands before the last break only once."""
    if after.rstrip() == line.rstrip():
        return []
    word = typed_word(line)
    words = shlex.split(after[len(line) - len(word):])
    before = word[:max(word.rfind(b) for b in breaks) + 1] if breaks else ""
    return words[:1] + [w if w.startswith(before) else before + w for w in words[1:]]


def run_terminal(argv, ready, breaks):
    term = Terminal(argv)
    term.wait_for(ready)
    got = [candidates(line, term.complete(line), breaks) for line, _ in CASES]
    term.close()
    return got


def run_bash(extra, breaks=":="):
    with open("rc", "w", encoding="utf-8") as f:
        f.write(BASH_RC + extra + "\n. ./the-script\n: >ready-bash\n")
    return run_terminal(["bash", "--noprofile", "--rcfile", "rc", "-i"], "ready-bash", breaks)


def run_zsh():
    os.mkdir("fpath")
    shutil.copy("the-script", "fpath/_demo")
    with open(".zshrc", "w", encoding="utf-8") as f:
        f.write(ZSH_RC + ": >ready-zsh\n")
    os.environ["ZDOTDIR"] = os.getcwd()
    got = run_terminal(["zsh", "-d", "-i"], "ready-zsh", "")
    return [[w.rstrip("=") for w in words] for words in got]  # zsh offers "--view="


def run_fish():
    # fish offers commands that match anywhere: let there be few
    fish, env = shutil.which("fish"), dict(os.environ, PATH=os.getcwd() + "/bin")
    os.symlink(shutil.which("seq"), "bin/seq")
    got = []
    for line, _ in CASES:
        out = subprocess.run([fish, "--no-config", "-c", "source the-script; complete -C $argv[1]",
                              "--", line], check=True, capture_output=True, text=True, env=env)
        if out.stderr:
            sys.exit(f"fish says on '{line}': {out.stderr}")
        words = [w.split("\t")[0] for w in out.stdout.splitlines()]
        got.append([shlex.split(w)[0] if "\\" in w else w for w in words])
    return got


def report(good, name, detail=""):
    report.count += 1
    print(f"{'ok' if good else 'not ok'} {report.count} - {name}")
    if not good:
        print(detail)


report.count = 0


def compare(what, got):
    for (line, expected), have in zip(CASES, got):
        have = sorted(w.rstrip("/") for w in have)
        report(have == sorted(expected), f"{what}: '{line}'",
               f"# expected {sorted(expected)}\n# got      {have}")
    report(not os.path.exists("pwned"), f"{what}: no target's name was run as a command")


def prepare(shell, demo):
    os.mkdir("bin")
    os.mkdir("subdir")
    os.symlink(demo, "bin/demo")
    os.symlink("/bin/true", "bin/zzcommand")
    for name in ("sfile.tar", "other file"):
        with open(name, "w", encoding="utf-8"):
            pass
    os.environ.update(PATH=os.getcwd() + "/bin:" + os.environ["PATH"], HOME=os.getcwd())
    with open("the-script", "wb") as f:
        subprocess.run(["demo", "completions", shell], stdout=f, check=True)
    subprocess.run([shell, "-n", "the-script"], check=True)


def run_all(shell):
    if shell == "zsh":
        compare("zsh", run_zsh())
    elif shell == "fish":
        compare("fish", run_fish())
    else:
        compare("bash", run_bash(""))
        compare("bash without breaks", run_bash("COMP_WORDBREAKS=${COMP_WORDBREAKS//[:=]/}", ""))
        package = "/usr/share/bash-completion/bash_completion"
        if os.path.exists(package):
            compare("bash with bash-completion", run_bash(f". {package}"))


def check_syntax(shell, programs):
    for program in programs:
        name = os.path.basename(program)
        script = subprocess.run([program, "completions", shell], check=True, capture_output=True).stdout
        with open(name, "wb") as f:
            f.write(script)
        done = subprocess.run([shell, "-n", name], check=False, capture_output=True, text=True)
        report(done.returncode == 0 and not done.stderr and script, f"{shell}: the script of {name}",
               "# " + done.stderr)


def main():
    shell, demo, *programs = [sys.argv[1]] + [os.path.realpath(p) for p in sys.argv[2:]]
    if not shutil.which(shell):
        print(f"1..0 # skip {shell}: this shell is not installed")
        return
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        prepare(shell, demo)
        run_all(shell)
        check_syntax(shell, programs)
        os.chdir("/")
    print(f"1..{report.count}")


main()
