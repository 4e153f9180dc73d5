#!/bin/sh
# What `go tool pprof` reads from a file of ours, by each sample type.  The numbers are those
# that write_pprof.c puts in.  Skipped without Go.
set -eu

go=$(command -v go || command -v /usr/local/go/bin/go || true)
if [ -z "$go" ] || ! "$go" tool pprof -h >/dev/null 2>&1 && ! "$go" tool -n pprof >/dev/null 2>&1; then
	echo "SKIP: no go tool pprof here (Debian's package is golang-go)"
	exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
HOME=$dir; GOFLAGS=; export HOME GOFLAGS

cat >"$dir/main.py" <<'PYTHON'
class Cache:
    def get(self):
        with self.first:
            return 1
    def put(self):
        with self.first:
            pass
cache.get()
PYTHON

file=$(tests/upload/write_pprof "$dir/run" "$dir/main.py")
full=$(tests/upload/write_pprof "$dir/full" "$dir/main.py" 2000)

failed=0
pprof() {
	"$go" tool pprof "$@" 2>"$dir/stderr" || { cat "$dir/stderr"; failed=1; }
}
# expect WORDS... -- ARGUMENTS...: a line of the output has exactly these words, whatever the spaces
expect() {
	line=
	while [ "$1" != -- ]; do line="$line${line:+ }$1"; shift; done
	shift
	if ! pprof "$@" | sed 's/[[:space:]][[:space:]]*/ /g; s/^ //; s/ $//' | grep -Fqx -e "$line"; then
		echo "FAIL: no line '$line' in: go tool pprof $*"
		pprof "$@"
		failed=1
	fi
}

# waits are what is shown when nothing is asked for
expect Type: lock-acquire-wait -- -top "$file"
expect 450ms 90.00% 90.00% 450ms 90.00% Cache.get -- -top "$file"
expect 0 0% 100% 500ms 100% '<module>' -- -top "$file"
expect 180 90.00% 90.00% 180 90.00% Cache.get -- -top -sample_index=lock-acquire "$file"
expect 70ms 70.00% 70.00% 70ms 70.00% Cache.put -- -top -sample_index=lock-release-hold "$file"
expect 20 10.00% 100% 20 10.00% Cache.put -- -top -sample_index=lock-release "$file"
expect 6 66.67% 66.67% 6 66.67% Cache.get -- -top -sample_index=lock-acquire-failed "$file"
expect 7 33.33% 100% 7 33.33% Cache.put -- -top -sample_index=lock-contended "$file"

expect 250ms Cache.get -- -traces "$file"
expect lock name: main.py:7:Schlüssel -- -traces "$file"
expect lock kind: threading.Lock -- -traces "$file"
expect thread id: 4711 -- -traces "$file"
expect '300ms (60.00%):' main.py:1:first -- -tags "$file"
expect '200ms (40.00%):' main.py:7:Schlüssel -- -tags "$file"
expect 450ms 450ms 3: with self.first: -- -list 'Cache.get' "$file"

# a full profile says so, and loses nothing: 997 rows of the 2000 had room, the rest is one row
expect 1us '0.0002%' '100%' 1us '0.0002%' '<profile full>' -- -top -nodefraction=0 "$full"
expect 1003 0 0 0 0 0: 1001 -- -raw "$full"
expect 1001: 0x0 M=1 '<profile full>' ':0:0' 's=0()' -- -raw "$full"

exit $failed
