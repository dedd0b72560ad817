//! The program: hands the command line to the library and exits with what it says.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for all of TLS, chosen before anything could choose another.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("nothing has installed a provider before");
    patchproof::cli::run(std::env::args_os())
}
