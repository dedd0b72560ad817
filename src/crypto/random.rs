//! The machine's randomness.

/// Returns `N` random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: nothing secure can be done then.
#[expect(clippy::disallowed_methods, reason = "the one place where randomness is drawn")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}
