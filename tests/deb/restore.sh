# Backups by the service and by command, and the way back: a store that nothing happened after, one that a
# product was registered after, and a backup that is damaged.

store_dir=/var/lib/patchproof/simulated
backups=/var/backups/patchproof
admin() { ask "$api$1" -H "x-api-key: $api_key" "${@:2}"; }
# eventually COMMAND...: until it succeeds, or half a minute is over.
eventually() {
  for _ in $(seq 60); do
    "$@" && return 0
    sleep 0.5
  done
  return 1
}
ready() { ask "$api/ready" | field "$1"; }
fence() { ready '(it.dependencies.find((one) => one.name === "fence") ?? {}).detail ?? "none"'; }
is_free() { is "$(fence)" none; }
strangers() { inside find /var/lib/patchproof "$backups" ! -user patchproof; }

# In the folder that needs nothing of the unit's: the service makes its first backup by itself.
check "backups need a key to lock them with" fails inside patchproof backup
inside sh -c "echo 'BACKUP_PASSPHRASE=six words that nobody would choose' >> $env_file"
check "the service starts with a passphrase for backups" inside systemctl restart patchproof
# has_backups N: so many lie there, and no more is being made.
has_backups() { is "$(admin /v1/admin/backups | field '`${it.backups.length} ${it.running}`')" "$1 null"; }
check "it makes its first backup by itself" eventually has_backups 1
check "in a folder of its own" is "$(inside stat -c '%a %U' "$store_dir/backups")" "700 patchproof"

# In another folder, as the documents say.
awk '/^## Backups/{in_it = 1; next} /^## /{in_it = 0} in_it && /^    /' docs/PACKAGE.md | sed 's/^    //' > "$scratch/backup-commands"
while read -r -u 9 command; do
  check "$command" inside sh -c "$command"
done 9< "$scratch/backup-commands"
check "the documents name the folder" is "$(configured BACKUP_DIR)" "$backups"
check "a backup is made there, too" eventually has_backups 1
check "a backup on request is begun" is "$(admin /v1/admin/backups -X POST -H 'content-type: application/json' -d '{}' | tail -n 1)" 202
check "and made" eventually has_backups 2
made=$(inside patchproof backup 2> /dev/null)
check "a backup by command is made there" inside patchproof backup verify "$made"
check "all of it is the service's" empty "$(strangers)"

# Nothing happened since: the fence falls by itself.
refused=$(inside patchproof restore "$made" --yes 2>&1)
check "a running server is not restored over" has "$refused" "stop the server"
inside systemctl stop patchproof
told=$(inside patchproof restore "$made" --yes 2>&1)
copy=$(sed -n 's/^the former store is //p' <<< "$told")
check "the restored store is told with its safety copy" inside test -s "$copy"
check "both are the service's" empty "$(strangers)"
check "the restored store starts" inside systemctl start patchproof
check "its fence falls by itself" eventually is_free
check "what was registered before is authentic" is "$(authentic DEB-0001)" authentic

# A product that the backup does not know: what the chain knows of it must be read by somebody.
check "one more product is registered" is "$(register DEB-0100)" 201
inside systemctl stop patchproof
inside sh -c "head -c -100 '$made' > /tmp/cut.backup"
state() { inside find "$store_dir" -maxdepth 1 -printf '%i %s %f\n' | sort; }
inside patchproof check --json > "$scratch/rows-before"
state > "$scratch/state-before"
refused=$(inside patchproof restore /tmp/cut.backup --yes 2>&1)
check "a backup that is cut is refused" fails inside patchproof restore /tmp/cut.backup --yes
check "with its name and reason" has "$refused" "/tmp/cut.backup is not restored"
check "no file is touched" is "$(state)" "$(cat "$scratch/state-before")"
check "no row is touched" is "$(inside patchproof check --json)" "$(cat "$scratch/rows-before")"

# Without the network nobody can be asked, so the fence is seen standing.
inside systemctl stop patchproof-simnet
told=$(inside patchproof restore "$made" --yes 2>&1)
copy=$(sed -n 's/^the former store is //p' <<< "$told")
check "the newer store stands as a safety copy" inside test -s "$copy"
check "the restored store starts without its network" \
  inside systemctl start --job-mode=ignore-dependencies patchproof
check "it says that it is fenced" has "$(fence)" "fenced"
check "it is not ready" is "$(ask "$api/ready" | tail -n 1)" 503
inside systemctl start patchproof-simnet
found() { [ "$(admin /v1/admin/restore | field it.resyncedAt)" != null ]; }
check "the chain is asked once it is there" eventually found
check "the fence waits for somebody to read" has "$(fence)" "restore release"
check "what the chain knew is listed" has "$(inside patchproof restore status 2>&1)" "register "
check "the fence is released" inside patchproof restore release
check "and gone" is_free
check "what was registered before is still authentic" is "$(authentic DEB-0001)" authentic
check "what came after is not known" is "$(authentic DEB-0100)" not_found
check "the next product is registered after a restore" is "$(register DEB-0101)" 201
check "the store's invariants hold after a restore" inside patchproof check
check "no system call was forbidden to backups" fails grep -q 'SIGSYS\|status=31' <(inside journalctl --no-pager)
