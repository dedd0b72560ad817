# The production-like suite against the service as it is installed: under its units, with forbidden system
# calls deadly. The suite runs on this machine, in the network of the other.

tests/e2e/run --prepare || give_up "the production-like suite cannot be prepared"
installed_e2e() {
  nsenter -t "$machine_pid" -n -- env BASE_URL="$api" API_KEY="$api_key" E2E_MAINNET=1 E2E_NETWORK=test \
    PATCHPROOF_BIN="$unpacked/usr/bin/patchproof" tests/e2e/run > "$scratch/e2e" 2>&1
  local status=$?
  cat "$scratch/e2e"
  return "$status"
}
check "the production-like suite passes against the installed service" installed_e2e
echo "deb: of the production-like suite $(sed -n 's/^# pass //p' "$scratch/e2e") tests pass"
