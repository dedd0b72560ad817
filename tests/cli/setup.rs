//! `setup`, `config example`, and the file of variables beneath those of the process.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::program::{Finished, run};

fn setup(file: &Path, arguments: &[&str]) -> Finished {
    let file = ["setup", "--file", file.to_str().unwrap()];
    run(&[&file[..], arguments].concat(), &[])
}

fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let in_force = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines().filter(in_force).map(str::to_owned).collect()
}

/// A folder with a new file in it.
fn installed() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("patchproof.env");
    setup(&file, &[]).expect(0);
    (folder, file)
}

#[test]
fn a_new_file_is_private_has_new_secrets_and_is_complete_for_the_simulated_network() {
    let (folder, file) = installed();
    for name in ["patchproof.env", "signer.passphrase"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let variables = [("PATCHPROOF_CONFIG", file.to_str().unwrap())];
    let shown =
        run(&["config", "show", "--origin", "--set", "--json"], &variables).expect(0).json();
    let of =
        |name: &str| shown.as_array().unwrap().iter().find(|it| it["variable"] == name).cloned();
    let api_key = of("API_KEY").unwrap();
    assert_eq!(api_key["value"], "***");
    assert!(api_key["origin"].as_str().unwrap().starts_with(&format!("{}:", file.display())));
    assert_eq!(of("CHAIN_PROFILE").unwrap()["value"], "simulated");
    let (_other_folder, other) = installed();
    let secrets = |file: &Path| -> Vec<String> {
        let is_secret = |line: &String| line.contains("SECRET=") || line.starts_with("API_KEY=");
        lines(file).into_iter().filter(is_secret).collect()
    };
    assert_eq!(secrets(&file).len(), 3);
    assert!(secrets(&file).iter().all(|line| !secrets(&other).contains(line)));
}

#[test]
fn a_file_that_is_there_is_changed_by_the_line_and_otherwise_left_alone() {
    let (_folder, file) = installed();
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "# mine\nNOT_OURS=1\n")
        .unwrap();
    let before = lines(&file);
    setup(&file, &[]).expect(0);
    assert_eq!(lines(&file), before, "nothing was asked for");
    let told = setup(&file, &["--network", "main", "PORT=8080"]).expect(0).stderr;
    assert!(told.contains("SMTP_HOST"), "what production lacks is named: {told}");
    let after = lines(&file);
    for line in
        ["NODE_ENV=production", "WOC_NETWORK=main", "PATCHPROOF_DATA_DIR=/var/lib/patchproof/main"]
    {
        assert!(after.contains(&line.to_owned()), "{line}: {after:#?}");
    }
    assert!(after.contains(&"PORT=8080".to_owned()) && after.contains(&"NOT_OURS=1".to_owned()));
    assert!(!after.iter().any(|line| line.starts_with("CHAIN_PROFILE")), "{after:#?}");
    let complete = ["SMTP_HOST=mail.shop.example", "EMAIL_FROM=Shop <codes@shop.example>"];
    let report = setup(&file, &[&["--json"][..], &complete].concat()).expect(0).json();
    assert_eq!(report["problems"], serde_json::json!([]), "{report}");
    setup(&file, &["--network", "simulated", "SMTP_HOST="]).expect(0);
    assert!(lines(&file).contains(&"PATCHPROOF_DATA_DIR=/var/lib/patchproof/simulated".to_owned()));
    setup(&file, &["API_KEY=canary"]).expect(2);
}

#[test]
fn the_process_stands_above_the_file_and_a_faulty_line_is_named() {
    let (_folder, file) = installed();
    let config = file.to_str().unwrap();
    let port = |more: &[(&str, &str)]| {
        let variables = [&[("PATCHPROOF_CONFIG", config)][..], more].concat();
        let shown = run(&["config", "show", "--json"], &variables).expect(0).json();
        let mut all = shown.as_array().unwrap().iter();
        all.find(|it| it["variable"] == "PORT").unwrap()["value"].as_str().unwrap().to_owned()
    };
    setup(&file, &["PORT=4001"]).expect(0);
    assert_eq!(port(&[]), "4001");
    assert_eq!(port(&[("PORT", "4002")]), "4002");
    assert_eq!(port(&[("PORT", "")]), "4001", "an empty variable counts as not set");

    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("export canary\n{text}NODE_ENV=production\n")).unwrap();
    let refused = run(&["config", "check"], &[("PATCHPROOF_CONFIG", config)]).expect(78).stderr;
    assert!(refused.contains("patchproof.env:1)"), "{refused}");
    assert!(refused.contains("NODE_ENV only once"), "{refused}");
    assert!(!refused.contains("canary"), "{refused}");

    std::fs::write(&file, text.replace("NODE_ENV=development", "NODE_ENV=production")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    let refused = run(&["config", "check"], &[("PATCHPROOF_CONFIG", config)]).expect(78).stderr;
    assert!(refused.contains("API_KEY") && refused.contains("chmod 600"), "{refused}");
    let absent = [("PATCHPROOF_CONFIG", "/nonexistent/patchproof.env")];
    assert!(run(&["config", "check"], &absent).expect(78).stderr.contains("/nonexistent"));
}

#[test]
fn an_example_has_every_variable_and_none_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.env");
    let example = run(&["config", "example"], &[]).expect(0).stdout;
    std::fs::write(&file, &example).unwrap();
    assert_eq!(lines(&file), [""; 0]);
    let shown = run(
        &["config", "show", "--json"],
        &[("ISSUER_KEY_IDENTIFIER", "issuer"), ("UTXO_FUNDING_KEY_IDENTIFIER", "funding")],
    );
    for variable in shown.expect(0).json().as_array().unwrap() {
        let name = variable["variable"].as_str().unwrap();
        assert!(example.contains(&format!("\n#{name}")), "{name}");
    }
}
