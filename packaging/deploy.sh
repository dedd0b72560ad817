#!/bin/sh
# Installs a package, and puts the one before it back if the service does not work with the new one.
#
#   deploy.sh PACKAGE.deb [--sha COMMIT]
#
# Asks nothing. Keeps the package that was installed as /var/cache/patchproof/previous.deb, writes
# DEPLOY_SHA (--sha, else $DEPLOY_SHA, else the version) into the configuration, installs, starts, asks
# /health and /api/svd/canary. The API key is $API_KEY or that of the configuration; the address is
# $BASE_URL or where the configuration has the service listen.
# Exit status: 0 the new package serves; 1 it does not, the former one serves again; 2 usage;
# 3 neither does.
set -eu

package=""
sha=${DEPLOY_SHA:-}
usage() { echo "usage: deploy.sh PACKAGE.deb [--sha COMMIT]" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case "$1" in
        --sha) [ $# -ge 2 ] || usage; sha=$2; shift ;;
        -*) usage ;;
        *) [ -z "$package" ] || usage; package=$1 ;;
    esac
    shift
done
[ -n "$package" ] || usage
[ "$(id -u)" -eq 0 ] || { echo "deploy.sh: run it as root" >&2; exit 2; }
[ "$(dpkg-deb --field "$package" Package)" = patchproof ] || { echo "deploy.sh: $package is no package of PatchProof" >&2; exit 2; }
command -v curl >/dev/null || { echo "deploy.sh: curl is needed: apt-get install curl" >&2; exit 2; }

package=$(realpath "$package")
env_file=/etc/patchproof/patchproof.env
kept=/var/cache/patchproof
new=$(dpkg-deb --field "$package" Version)
sha=${sha:-$new}
case "$sha" in *[!A-Za-z0-9._+~-]*) echo "deploy.sh: $sha is no commit" >&2; exit 2 ;; esac
old=$(dpkg-query --show --showformat='${Version}' patchproof 2>/dev/null || true)
export DEBIAN_FRONTEND=noninteractive

# Prints a variable of the configuration, without quotes around it.
configured() {
    [ ! -f "$env_file" ] || sed -n "s/^$1=//p" "$env_file" | head -1 | sed "s/^\(['\"]\)\(.*\)\1\$/\2/"
}

# Writes DEPLOY_SHA into the configuration, or takes it out; the file is never half written.
write_sha() {
    [ -f "$env_file" ] || return 0
    draft=$(mktemp "$env_file.XXXXXX")
    # The line keeps its place among the explanations, where it has one.
    awk -v sha="$1" '
        /^#?DEPLOY_SHA=/ && !done { print (sha == "" ? "#DEPLOY_SHA=" : "DEPLOY_SHA=" sha); done = 1; next }
        { print }
        END { if (!done && sha != "") print "DEPLOY_SHA=" sha }' "$env_file" > "$draft"
    chmod 600 "$draft"
    mv "$draft" "$env_file"
}

# Makes a package again of what is installed: nobody need have kept the file.
keep_installed() {
    tree=$(mktemp -d)
    mkdir "$tree/DEBIAN"
    dpkg-query --status patchproof | sed '/^Status:/d' > "$tree/DEBIAN/control"
    for script in $(dpkg-query --control-list patchproof | grep -xE '(pre|post)(inst|rm)'); do
        dpkg-query --control-show patchproof "$script" > "$tree/DEBIAN/$script"
        chmod 755 "$tree/DEBIAN/$script"
    done
    dpkg-query --listfiles patchproof | while read -r file; do
        if [ -f "$file" ] || [ -L "$file" ]; then (cd / && cp -a --parents "${file#/}" "$tree"); fi
    done
    install -d -m 700 "$kept"
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$kept/installed.deb" >/dev/null
    rm -rf "$tree"
    configured DEPLOY_SHA > "$kept/installed.sha"
}

# Starts the service, which returns when it says that it is ready, and asks it.
works() {
    systemctl reset-failed patchproof patchproof-signer 2>/dev/null || true
    systemctl start patchproof || return 1
    port=$(configured PORT)
    base=${BASE_URL:-http://127.0.0.1:${port:-3001}}
    curl -fsS --max-time 20 "$base/health" >/dev/null || return 1
    key=${API_KEY:-$(configured API_KEY)}
    if [ -z "$key" ]; then
        echo "deploy.sh: no API key is known, so the canary is not asked" >&2
        return 0
    fi
    # The key goes over standard input: the command line is for everybody to see.
    printf 'header = "x-api-key: %s"\n' "$key" |
        curl -fsS --max-time 30 --config - "$base/api/svd/canary" >/dev/null
}

if [ -n "$old" ]; then keep_installed; fi
write_sha "$sha"
echo "deploy.sh: ${old:-nothing} is installed, installing $new ($sha)"
if apt-get install -y -qq --reinstall --allow-downgrades --no-install-recommends "$package" </dev/null && works; then
    if [ -n "$old" ]; then
        mv "$kept/installed.deb" "$kept/previous.deb"
        mv "$kept/installed.sha" "$kept/previous.sha"
    else
        write_sha "$sha"
        systemctl restart patchproof
    fi
    echo "deploy.sh: $new serves"
    exit 0
fi

echo "deploy.sh: $new does not serve; the journal says why: journalctl -u patchproof -u patchproof-signer" >&2
[ -n "$old" ] || exit 3
write_sha "$(cat "$kept/installed.sha")"
dpkg --install "$kept/installed.deb" </dev/null
rm -f "$kept/installed.deb" "$kept/installed.sha"
systemctl restart patchproof-signer || true
if works; then
    echo "deploy.sh: $old is back and serves" >&2
    exit 1
fi
echo "deploy.sh: $old is back, but does not serve either" >&2
exit 3
