# From a clean machine to the first login, by the commands of the README and no others.

boot || give_up "the machine does not boot"
hand_over "$scratch/older.deb" patchproof.deb
inventory() { inside find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root \) -prune -o -print | sort; }
inventory > "$scratch/before"
# The first block of commands in the section.
awk '/^## /{in_it = ($0 == "## Install")} in_it && /^```sh$/{on = 1; next} on && /^```$/{exit} on' README.md |
  sed 's/ *#.*//' | grep . > "$scratch/commands"
commands=$(wc -l < "$scratch/commands")
check "the README installs in at most three commands" [ "$commands" -ge 1 -a "$commands" -le 3 ]

started=$(date +%s%N)
while read -r -u 9 command; do
  echo "deb: # $command"
  check "$command" inside sh -c "$command"
  cat "$scratch/output" >> "$scratch/all-said"
done 9< "$scratch/commands"
link=$(grep -o 'http://[^ ]*#setup=[0-9a-f]*' "$scratch/all-said" | tail -n 1)
check "the installation names the command for the link" grep -q 'patchproof admin setup-link' "$scratch/all-said"
base=${link%/admin#*}
body="{\"token\":\"${link##*=}\",\"name\":\"Ada\",\"password\":\"a long walk by the sea 7\"}"
used() { ask "$base/v1/admin/setup" -X POST -H 'content-type: application/json' -H "origin: $base" -H 'sec-fetch-site: same-origin' -d "$body" "$@"; }
login=$(used -c "$scratch/cookies")
session=$(ask "$base/v1/admin/session" -b "$scratch/cookies")
took=$((($(date +%s%N) - started) / 1000000))
echo "deb: first login after $took ms and $commands commands"
check "the link logs the first admin in" is "$(tail -n 1 <<< "$login") $(tail -n 1 <<< "$session")" "200 200"
check "the account is an admin's" is "$(field it.account.role <<< "$session")" admin
check "the first login comes within 60 s" [ "$took" -le 60000 ]
check "the link is good once" is "$(used | tail -n 1)" 410
