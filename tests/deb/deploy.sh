# Deployment by one command, and the way back.

sha() { ask "$api/version" | field 'it.sha'; }
installed() { inside dpkg-query -W -f '${Version}' patchproof; }
hand_over "$deb" deploy.deb
hand_over "$scratch/broken.deb" broken.deb
scripts=/usr/share/patchproof

check "a package is deployed" inside "$scripts/deploy.sh" deploy.deb --sha 0c1d2e3
check "it is the one that runs" is "$(installed) $(sha)" "$version 0c1d2e3"
check "the configuration is still root's alone" is "$(inside stat -c '%a %U' "$env_file")" "600 root"
check "a package that does not work is refused" fails inside "$scripts/deploy.sh" broken.deb --sha bad
check "the one before it is back" is "$(installed) $(sha)" "$version 0c1d2e3"
check "and serves" is "$(ask "$api/health" | tail -n 1) $(register DEB-0002)" "200 201"
check "the way back leads to the version before" inside "$scripts/rollback.sh"
check "it is the older one" is "$(installed)" 0.0.9-1
check "its commit is told no more" is "$(sha)" 0.0.9-1
check "it has what was registered since" is "$(authentic DEB-0002)" authentic
check "no package is taken for a commit" fails inside "$scripts/deploy.sh" deploy.deb --sha 'a b'
check "another package is refused" fails inside "$scripts/deploy.sh" /nonexistent.deb
