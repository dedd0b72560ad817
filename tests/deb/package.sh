# The package as a file: built, small, without a fault that lintian knows, with everything in it.

started=$SECONDS
if [ -n "${PATCHPROOF_DEB:-}" ]; then
  deb=$PATCHPROOF_DEB
elif [ -n "${PATCHPROOF_BIN:-}" ]; then
  deb=$(packaging/build-deb.sh --binary "$PATCHPROOF_BIN" --fast | tail -n 1)
else
  deb=$(packaging/build-deb.sh --fast | tail -n 1)
fi
[ -f "$deb" ] || give_up "the package was not built"
version=$(dpkg-deb --field "$deb" Version)
unpacked=$scratch/unpacked
dpkg-deb --raw-extract "$deb" "$unpacked"
echo "deb: $(basename "$deb"), $(($(stat -c %s "$deb") / 1024)) KiB, built in $((SECONDS - started)) s"

check "lintian finds no error and no warning" empty "$(lintian --allow-root --fail-on none "$deb" 2>&1 | grep -E '^[EW]:')"
check "the scripts have no fault that shellcheck knows" shellcheck packaging/*.sh packaging/debian/post*
size=$(stat -c %s "$unpacked/usr/bin/patchproof")
echo "deb: the binary has $((size / 1024)) KiB"
check "the binary has at most 25 MiB" [ "$size" -le $((25 * 1024 * 1024)) ]
check "nothing is a conffile, so no upgrade asks" [ ! -e "$unpacked/DEBIAN/conffiles" ]
check "nothing is installed under /etc" [ ! -e "$unpacked/etc" ]
for file in usr/share/man/man1/patchproof.1.gz usr/share/man/man1/patchproof-serve.1.gz \
  usr/share/man/man5/patchproof.env.5.gz usr/share/bash-completion/completions/patchproof \
  usr/share/zsh/vendor-completions/_patchproof usr/share/fish/vendor_completions.d/patchproof.fish \
  usr/share/doc/patchproof/copyright usr/share/doc/patchproof/examples/patchproof.env \
  usr/lib/sysusers.d/patchproof.conf usr/lib/tmpfiles.d/patchproof.conf \
  usr/share/patchproof/deploy.sh usr/share/patchproof/rollback.sh; do
  check "the package has $file" [ -s "$unpacked/$file" ]
done
check "bash reads its completions" bash -n "$unpacked/usr/share/bash-completion/completions/patchproof"
# What is ready beside the program is packaged with it.
examples=$unpacked/usr/share/doc/patchproof/examples
while read -r file; do
  place=${file#packaging/}
  check "$file is an example, unchanged" cmp "$file" <(zcat -f "$examples/${place#examples/}" "$examples/${place#examples/}.gz" 2> /dev/null)
done < <(find packaging/examples packaging/grafana packaging/prometheus -type f)
check "there are examples for proxies, Prometheus and Grafana" \
  test -s "$examples/nginx.conf" -a -s "$examples/Caddyfile" -a -d "$examples/prometheus" -a -d "$examples/grafana/provisioning"
for unit in patchproof patchproof-signer patchproof-simnet; do
  exposure=$(systemd-analyze security --offline=yes "$unpacked/usr/lib/systemd/system/$unit.service" |
    sed -n 's/^.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p')
  echo "deb: $unit.service is exposed by $exposure"
  check "$unit.service is exposed by at most 1.5" awk -v is="$exposure" 'BEGIN { exit !(is != "" && is <= 1.5) }'
done

# remake VERSION FILE: the same package under another version.
remake() {
  sed "s/^Version: .*/Version: $1/" "$unpacked/DEBIAN/control" > "$scratch/control"
  cp "$unpacked/DEBIAN/control" "$scratch/control.kept"
  cp "$scratch/control" "$unpacked/DEBIAN/control"
  dpkg-deb --root-owner-group -Znone --build "$unpacked" "$2" > /dev/null
  cp "$scratch/control.kept" "$unpacked/DEBIAN/control"
}
remake 0.0.9-1 "$scratch/older.deb"
mv "$unpacked/usr/bin/patchproof" "$scratch/patchproof"
printf '#!/bin/sh\nexit 1\n' > "$unpacked/usr/bin/patchproof"
chmod 755 "$unpacked/usr/bin/patchproof"
remake 9.9.9-1 "$scratch/broken.deb"
mv "$scratch/patchproof" "$unpacked/usr/bin/patchproof"
