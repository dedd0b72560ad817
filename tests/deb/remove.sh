# Away with it: removing keeps data and configuration, purging leaves what the user was told.

check "it is removed" inside apt-get remove -y patchproof
check "nothing runs any more" fails inside sh -c 'cat /proc/[0-9]*/comm | grep patchproof'
check "configuration and store stay" inside test -s "$env_file" -a -s /var/lib/patchproof/simulated/patchproof.redb
check "it is installed again" inside apt-get install -y ./new.deb
check "with everything that was there" is "$(authentic DEB-0001)" authentic
said=$(inside apt-get purge -y patchproof 2>&1)
check "purging says what is gone" has "$said" "are deleted"
check "purging says what stays" has "$said" "system users"
inventory > "$scratch/after"
left=$(comm -13 "$scratch/before" "$scratch/after" |
  grep -vE "^($backups|/etc/systemd/system/patchproof.service.d)(/|\$)" |
  grep -vE '^/(etc/(passwd|group|shadow|gshadow)-?$|etc/\.pwd\.lock$|var/log/|var/lib/(apt|dpkg)/|var/cache/(apt|ldconfig)/|var/tmp/)')
check "purging leaves nothing but that" empty "$left"
check "backups in a folder of the administrator's stay" inside test -s "$made"
check "the users are all that is left" is "$(inside getent passwd | grep -c patchproof)" 3
