# The real network, chosen at the installation: nothing starts half configured, one command completes it.

said=$(inside env PATCHPROOF_NETWORK=main apt-get install -y ./new.deb 2>&1)
check "an installation for the main network succeeds" inside dpkg --verify patchproof
check "it says what is missing" has "$said" "SMTP_HOST"
check "it says what to do" has "$said" "Complete $env_file first"
check "nothing was started half configured" is "$(property patchproof ActiveState) $(property patchproof ExecMainStatus)" "failed 78"
check "there is no simulated network" fails inside systemctl --quiet is-active patchproof-simnet
check "one command completes it" \
  inside patchproof setup SMTP_HOST=mail.shop.example 'EMAIL_FROM=Shop <codes@shop.example>'
check "it is complete" inside patchproof config check
check "it starts, with no network to be had" inside systemctl restart patchproof
status=$(property patchproof StatusText)
check "it serves, and says what is away" has "$status" "serving http://127.0.0.1:3001/"
check "it is production" has "$(inside patchproof config show)" "production"
