# What the units promise, on a running machine.

env_file=/etc/patchproof/patchproof.env
configured() { inside sed -n "s/^$1=//p" "$env_file"; }
api_key=$(configured API_KEY)
services="patchproof patchproof-signer patchproof-simnet"

check "systemd finds no fault in the units" inside systemd-analyze verify --man=no patchproof.service patchproof-signer.service patchproof-simnet.service
for service in $services; do
  check "$service runs" is "$(property "$service" ActiveState)" active
  check "$service runs as a user of its own" is "$(inside stat -c %U "/proc/$(main_pid "$service")")" "$service"
  status=$(inside cat "/proc/$(main_pid "$service")/status")
  check "$service is filtered" has "$status" "Seccomp:	2"
  check "$service has no capability" has "$status" "CapBnd:	0000000000000000"
done
check "the service says how it is" has "$(property patchproof StatusText)" "serving http://127.0.0.1:3001/"
check "the configuration is root's alone" is "$(inside stat -c '%a %U' "$env_file")" "600 root"
check "the passphrase is root's alone" is "$(inside stat -c '%a %U' /etc/patchproof/signer.passphrase)" "600 root"
as() { inside setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
check "the service cannot read the keys" fails as patchproof cat /var/lib/patchproof-signer/keystore.json
check "the service cannot read the configuration of root" fails as patchproof cat "$env_file"
check "a stranger cannot reach the signer" fails as nobody stat /run/patchproof-signer/signer.sock
net() { inside readlink "/proc/$1/ns/net"; }
check "the signer has a network of its own, which is none" [ "$(net "$(main_pid patchproof-signer)")" != "$(net 1)" ]

# Each secret is sought wherever it could have gone astray.
inside journalctl --no-pager -o cat > "$scratch/journal"
for secret in "$api_key" "$(configured JWT_SECRET)" "$(configured MASTER_SECRET)" "$(inside cat /etc/patchproof/signer.passphrase)"; do
  check "secrets have 32 bytes" [ ${#secret} -eq 64 ]
  for service in $services; do
    pid=$(main_pid "$service")
    check "no secret is in the environment or command line of $service" \
      fails inside grep -qaF "$secret" "/proc/$pid/environ" "/proc/$pid/cmdline"
  done
  check "no secret is in the journal" fails grep -qF "$secret" "$scratch/journal"
  check "no secret was said by the installation" fails grep -qF "$secret" "$scratch/all-said"
done

# From here on a system call outside of the filter ends the process instead of failing.
for service in $services; do
  inside mkdir -p "/run/systemd/system/$service.service.d"
  inside sh -c "printf '[Service]\nSystemCallErrorNumber=kill\nWatchdogSec=3\n' > /run/systemd/system/$service.service.d/strict.conf"
done
inside systemctl daemon-reload
check "the services start where a forbidden system call kills" \
  inside systemctl restart patchproof-signer patchproof-simnet patchproof

# A configuration that is wrong is not tried again.
inside sed -i 's/^#PORT=.*/PORT=http/' "$env_file"
check "a wrong configuration does not start" fails inside systemctl restart patchproof
check "it ends with 78" is "$(property patchproof ExecMainStatus)" 78
check "it is not tried again" is "$(property patchproof ActiveState) $(property patchproof NRestarts)" "failed 0"
inside sed -i 's/^PORT=.*/#PORT=3001/' "$env_file"
check "the right one does" inside systemctl start patchproof

# A server that no longer does anything is ended and started anew.
stuck=$(main_pid patchproof)
inside sh -c "kill -STOP $stuck"
inside timeout 30 tail --pid="$stuck" -f /dev/null
inside systemctl start patchproof
check "a stuck server is replaced" [ "$(main_pid patchproof)" != "$stuck" ]
check "by the watchdog" has "$(inside journalctl --no-pager -u patchproof)" "Watchdog timeout"
