# The main job, with the forbidden system calls deadly: money, a product, its proof, the commands.

api=http://127.0.0.1:3001
restarts_before="$(property patchproof NRestarts) $(property patchproof-signer NRestarts)"
address=$(inside patchproof utxo health --json 2>/dev/null | node -e 'console.log(JSON.parse(require("fs").readFileSync(0)).funding.address)')
faucet=$(ask http://127.0.0.1:3003/sim/faucet -X POST -H 'content-type: application/json' \
  -d "{\"address\":\"$address\",\"satoshis\":50000,\"count\":5}")
check "the simulated network pays" is "$(tail -n 1 <<< "$faucet")" 200
check "the pool takes it in" inside patchproof utxo sync
# register UID: prints the status.
register() {
  ask "$api/v1/patches" -X POST -H 'content-type: application/json' -H "x-api-key: $api_key" \
    -d "{\"product\":{\"uid_tag_id\":\"$1\",\"name\":\"Home jersey\"},\"metadata\":{},\"auth\":{\"owner\":\"$address\"}}" | tail -n 1
}
authentic() { ask "$api/v1/patches/verify/$1" | field it.status; }
check "a product is registered" is "$(register DEB-0001)" 201
check "it is authentic" is "$(authentic DEB-0001)" authentic
# Mined, its proof needs nobody's word: the service sees the block at its next look at the chain.
proved() {
  ask http://127.0.0.1:3003/sim/mine -X POST -H 'content-type: application/json' -d '{}' > /dev/null
  for _ in $(seq 60); do
    inside patchproof proof get DEB-0001 -o /tmp/proof.json && inside patchproof verify /tmp/proof.json && return 0
    sleep 0.5
  done
  return 1
}
check "its proof is verified without a server" proved
check "the canary answers" is "$(ask "$api/api/svd/canary" -H "x-api-key: $api_key" | tail -n 1)" 200
check "the certificate is shown" is "$(ask "$api/certificates/DEB-0001" | tail -n 1)" 200
check "the console is shown" is "$(ask "$api/admin" | tail -n 1)" 200
check "readiness is told" is "$(ask "$api/ready" | field it.status)" ok
check "the store's invariants hold" inside patchproof check
doctor=$(inside patchproof doctor 2>&1)
check "doctor finds no failure" has "$doctor" " 0 failures"
check "nothing was killed on the way" is "$(property patchproof NRestarts) $(property patchproof-signer NRestarts)" "$restarts_before"
check "no system call was forbidden" fails grep -q 'SIGSYS\|status=31' <(inside journalctl --no-pager)
