module patchproof.invalid/interop/tlog

go 1.22

require (
	github.com/decred/dcrd/dcrec/secp256k1/v4 v4.3.0
	golang.org/x/mod v0.20.0
)
