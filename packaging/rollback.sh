#!/bin/sh
# Puts the package back that was installed before the last deploy.sh, or the one that is named.
#
#   rollback.sh [PACKAGE.deb]
#
# It is a deployment like any other: what does not serve is taken back. A store that the newer version
# has brought to its own schema is refused by the older one, which then says what to do.
set -eu
[ $# -le 1 ] || { echo "usage: rollback.sh [PACKAGE.deb]" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "rollback.sh: run it as root" >&2; exit 2; }
kept=/var/cache/patchproof
deploy=$(dirname "$(realpath "$0")")/deploy.sh
# Deploying replaces both, the script itself included: it works on copies.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$deploy" "$work/deploy.sh"
if [ $# -eq 1 ]; then
    cp "$1" "$work/patchproof.deb"
    sh "$work/deploy.sh" "$work/patchproof.deb"
    exit
fi
[ -f "$kept/previous.deb" ] || { echo "rollback.sh: no earlier package is kept in $kept" >&2; exit 2; }
cp "$kept/previous.deb" "$work/patchproof.deb"
sha=$(cat "$kept/previous.sha")
if [ -n "$sha" ]; then set -- --sha "$sha"; fi
env -u DEPLOY_SHA sh "$work/deploy.sh" "$work/patchproof.deb" "$@"
