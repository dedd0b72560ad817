//! Help, version, usage, and what is generated from the command line's own description.

use crate::program::run;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["serve"],
    &["demo"],
    &["check"],
    &["doctor"],
    &["config"],
    &["config", "check"],
    &["config", "show"],
    &["config", "example"],
    &["token"],
    &["token", "issue"],
    &["signer"],
    &["simnet"],
    &["utxo"],
    &["utxo", "add"],
    &["utxo", "list"],
    &["utxo", "sync"],
    &["utxo", "maintain"],
    &["utxo", "split"],
    &["utxo", "sweep"],
    &["utxo", "sweep-change"],
    &["utxo", "unlock-stale"],
    &["utxo", "health"],
    &["headers"],
    &["headers", "status"],
    &["headers", "checkpoint"],
    &["headers", "checkpoint", "add"],
    &["headers", "checkpoint", "remove"],
    &["headers", "checkpoint", "list"],
    &["headers", "export"],
    &["headers", "import"],
    &["records"],
    &["records", "list"],
    &["records", "recover"],
    &["log"],
    &["log", "status"],
    &["log", "checkpoint"],
    &["log", "prove"],
    &["log", "watch"],
    &["settings"],
    &["settings", "list"],
    &["settings", "get"],
    &["settings", "set"],
    &["settings", "reset"],
    &["setup"],
    &["admin"],
    &["admin", "setup-link"],
    &["admin", "reset"],
    &["admin", "accounts"],
    &["admin", "sessions"],
    &["admin", "end-session"],
    &["openapi"],
    &["completions"],
    &["man"],
];

#[test]
fn every_command_has_help_on_standard_output() {
    for command in COMMANDS {
        let help = run(&[command, &["--help"][..]].concat(), &[]).expect(0);
        assert!(help.stdout.contains("Usage: patchproof"), "{command:?}: {}", help.stdout);
        assert_eq!(help.stderr, "", "{command:?}");
    }
    assert!(run(&["--version"], &[]).expect(0).stdout.starts_with("patchproof "));
}

#[test]
fn wrong_usage_is_2_and_says_so_on_standard_error() {
    for arguments in [
        &[][..],
        &["nonsense"],
        &["token", "issue"],
        &["token", "issue", "--subject", "a", "--ttl-secs", "0"],
        &["signer", "--listen", "nowhere", "--keystore", "k", "--passphrase-file", "p"],
        &["simnet", "--mine-every", "often"],
        &["simnet", "--min-fee", "0"],
        &["utxo", "add", "--txid", "xyz", "--vout", "0"],
        &["utxo", "list", "--status", "gone"],
        &["headers", "checkpoint", "add", "800000"],
        &["utxo", "split", "--count", "0"],
        &["utxo", "sweep", "--outpoint", "xyz"],
        &["utxo", "unlock-stale", "--dry-run=perhaps"],
        &["records", "recover"],
        &["records", "recover", "--all", "--stage", "held"],
        &["settings", "set"],
        &["settings", "set", "FEE_PER_KB"],
        &["settings", "set", "FEE_PER_KB=much"],
        &["settings", "get", "API_KEY"],
        &["completions", "tcl"],
    ] {
        let refused = run(arguments, &[]).expect(2);
        assert_eq!(refused.stdout, "", "{arguments:?}");
        assert!(!refused.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_description_of_the_api_is_printed_in_both_forms() {
    let json = run(&["openapi"], &[]).expect(0).json();
    assert_eq!(json["info"]["title"], "PatchProof");
    assert!(json["paths"]["/health"].is_object());
    let yaml = run(&["openapi", "--yaml"], &[]).expect(0).stdout;
    assert!(yaml.contains("\nopenapi: \"3.1.0\"\n"), "{yaml}");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], &[]).expect(0).stdout;
        assert!(script.contains("simnet") && script.contains("passphrase-file"), "{shell}");
    }
    let page = run(&["man"], &[]).expect(0).stdout;
    assert!(page.contains(".TH patchproof 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    run(&["man", "--directory", folder.path().to_str().unwrap()], &[]).expect(0);
    for page in ["patchproof.1", "patchproof-signer.1", "patchproof-utxo-add.1"] {
        assert!(folder.path().join(page).is_file(), "{page}");
    }
}
