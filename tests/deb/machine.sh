# A machine of its own for the package: a clean Debian 12, booted by systemd-nspawn with no network but
# its loopback. Sourced by tests/deb/run.
#
# The root is made once by debootstrap and kept under target/deb-test/base; each run works on a layer
# above it, which is thrown away.

cache=target/deb-test
machine_pid=""

# Makes the root that every run begins with.
make_base() {
  [ -f "$cache/base.done" ] && return 0
  rm -rf "$cache/base"
  mkdir -p "$cache"
  echo "deb: making a Debian root, once (about a minute)"
  debootstrap --variant=minbase --include=systemd,ca-certificates,curl bookworm "$cache/base" \
    > "$cache/debootstrap.log" 2>&1 ||
    { tail -n 20 "$cache/debootstrap.log" >&2; return 1; }
  touch "$cache/base.done"
}

# Boots the machine; returns when systemd says that it is up.
boot() {
  make_base || return 1
  rm -rf "$cache/layer" "$cache/work"
  mkdir -p "$cache/layer" "$cache/work" "$cache/root"
  mount -t overlay overlay -o "lowerdir=$cache/base,upperdir=$cache/layer,workdir=$cache/work" "$cache/root" || return 1
  # Without a machine manager beside it: any process may start such a machine, and end it.
  systemd-nspawn --quiet --register=no --keep-unit --private-network --machine="patchproof-$$" \
    --directory="$cache/root" --boot > "$cache/console.log" 2>&1 < /dev/null &
  nspawn_pid=$!
  # The first process of the machine is nspawn's child.
  until machine_pid=$(pgrep -P "$nspawn_pid" -x systemd); do
    kill -0 "$nspawn_pid" 2>/dev/null || { cat "$cache/console.log" >&2; return 1; }
    sleep 0.1
  done
  # The private socket of systemctl is there a moment later than the process.
  until inside systemctl is-system-running --wait 2>/dev/null | grep -qE 'running|degraded'; do
    kill -0 "$nspawn_pid" 2>/dev/null || { cat "$cache/console.log" >&2; return 1; }
    sleep 0.1
  done
}

# Ends the machine and throws its layer away.
halt() {
  # Its first process takes all others with it.
  [ -z "$machine_pid" ] || kill -KILL "$machine_pid" 2>/dev/null
  [ -z "${nspawn_pid:-}" ] || wait "$nspawn_pid" 2>/dev/null
  mountpoint -q "$cache/root" && umount -l "$cache/root"
  rm -rf "$cache/layer" "$cache/work"
}

# Runs a command in the machine, as root, in root's home, with nothing of our environment.
inside() {
  nsenter -t "$machine_pid" -m -u -i -n -p -C -r -- /usr/bin/env -i -C /root HOME=/root TERM=dumb LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" < /dev/null
}

# Puts a file into root's home.
hand_over() { cp "$1" "$cache/root/root/$2"; }

# Asks over the machine's loopback: ask PATH [curl options]. Prints the body, the status in a line below.
ask() {
  local path=$1
  shift
  nsenter -t "$machine_pid" -n -- curl -sS --noproxy '*' --max-time 30 -w '\n%{http_code}\n' "$@" "$path"
}

main_pid() { inside systemctl show --property=MainPID --value "$1"; }
property() { inside systemctl show --property="$2" --value "$1"; }
