# SPDX-License-Identifier: MIT
# texts - what coreutils and a shell make of the same input is the same on any Linux.
set -u
export LC_ALL=C TZ=UTC
d=$(mktemp -d) && cd "$d" || exit 1
seq 1 200000 >n
sort -R --random-source=n n | sort -n | cmp - n && echo sorted
sort --parallel=2 -S 1M -r n | md5sum
split -l 7777 n part. && cat part.* | cmp - n && ls part.* | wc -l
tac n | rev | tr 0-9 a-j | fold -w 60 | sha256sum
paste -d, n <(rev n) | cut -d, -f2 | uniq -c | wc -l
join <(seq 1 2 20000 | sort) <(seq 1 3 20000 | sort) | wc -l
comm -12 <(seq 1 2 999 | sort) <(seq 1 3 999 | sort) | wc -l
shuf -i 1-1000 | sort -n | md5sum
od -An -tx4 -N 64 n; base64 n | tail -n 1; cksum n; sum n; b2sum n | cut -c 1-16
dd if=n of=m bs=4099 2>/dev/null && cmp n m && echo copied
cp --sparse=always n s && truncate -s 100M s && stat -c '%s %h %F' s
for i in {1..300}; do mkdir -p "t/$((i % 17))/$i"; ln -s "../$i" "t/$((i % 17))/$i/link"; echo "$i" >"t/$((i % 17))/$i/file"; done
find t -type f | sort | xargs cat | sort -n | md5sum
du -a --apparent-size t/3 | wc -l; tar -C t -cf - . | tar -tf - | wc -l
chmod -R u=rwX,go= t && find t -perm /077 ! -type l | wc -l
touch -d '2001-02-03 04:05:06.789' n && stat -c '%y' n && date -r n +%s.%N
mkfifo f && (cat n >f & cat f | wc -l; wait)
timeout 0.2 sleep 5; echo "timeout $?"; timeout -s KILL 0.2 sleep 5; echo "killed $?"
yes | head -n 100000 | wc -l; echo "${PIPESTATUS[*]}"
echo nice $(($(nice -n 5 nice) - $(nice))); env -i A=1 env; printf '%q %05d %s\n' 'a b' 42 "$(factor 360 | tr ' ' _)"
seq 1 100 | tee >(wc -l >w1) | wc -l; while ! [ -s w1 ]; do sleep 0.02; done; cat w1
for i in $(seq 1 50); do (exit $((i % 5))); echo $?; done | sort | uniq -c
x=$(for i in {1..200}; do (echo $i) & done; wait); echo "$x" | sort -n | md5sum
trap 'echo trapped' USR1; kill -USR1 $$; trap 'echo exited' EXIT
coproc { while read -r l; do echo "got $l"; done; }; echo one >&"${COPROC[1]}"; read -r l <&"${COPROC[0]}"; echo "$l"
mapfile -t a < <(seq 3); echo "${#a[@]} ${a[*]}"; cat <<<"here $((2 ** 40))"
rm -rf t && ls | wc -l
cd / && rm -rf "$d"
