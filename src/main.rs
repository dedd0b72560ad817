//! The program: hands the command line to the library and exits with what it says.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for all TLS, before anything could ask for it.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    patchproof::cli::run()
}
