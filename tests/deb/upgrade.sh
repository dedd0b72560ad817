# From the version before to this one: everything is kept, nothing is asked.

hand_over "$deb" new.deb
inside sh -c "printf '# a line of mine\n' >> $env_file"
env_before=$(inside sha256sum "$env_file" /etc/patchproof/signer.passphrase)
pid_before=$(main_pid patchproof)
check "the upgrade asks nothing" inside apt-get install -y ./new.deb
check "the new version is installed" is "$(inside dpkg-query -W -f '${Version}' patchproof)" "$version"
check "configuration and passphrase are as they were" is "$(inside sha256sum "$env_file" /etc/patchproof/signer.passphrase)" "$env_before"
check "the service was started anew" [ "$(main_pid patchproof)" != "$pid_before" ]
check "it runs" is "$(property patchproof ActiveState)" active
for uid in DEB-0001 DEB-0002; do check "$uid is authentic" is "$(authentic "$uid")" authentic; done
check "the first admin is still logged in" is "$(ask "$base/v1/admin/session" -b "$scratch/cookies" | tail -n 1)" 200
check "the next product is registered" is "$(register DEB-0003)" 201
check "the store's invariants hold after the upgrade" inside patchproof check
