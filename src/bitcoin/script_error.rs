//! Why a script does not let an input spend its output.

use crate::crypto::{KeyError, SignatureError};

/// Why an input may not spend its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The number of spent outputs is not the number of inputs.
    #[error("{inputs} inputs do not spend {spent} outputs")]
    CountMismatch {
        /// The transaction's inputs.
        inputs: usize,
        /// The outputs that were given.
        spent: usize,
    },
    /// The transaction has no input of this index, or none at all.
    #[error("there is no input {0}")]
    NoSuchInput(usize),
    /// The unlocking script does more than push.
    #[error("the unlocking script does more than push data")]
    NotPushOnly,
    /// A push has a shorter form.
    #[error("a push is not in its shortest form")]
    NonMinimalPush,
    /// The script ends inside a push.
    #[error("the script ends inside a push")]
    TruncatedPush,
    /// A pushed value is longer than 65,536 bytes.
    #[error("a pushed value of {0} bytes is too long")]
    ElementSize(usize),
    /// The script has more than 500 opcodes beside its pushes.
    #[error("the script has too many opcodes")]
    TooManyOperations,
    /// An opcode that this interpreter does not run.
    #[error("opcode {0:#04x} is not supported")]
    UnsupportedOpcode(u8),
    /// A pay-to-script-hash output: its meaning depends on the age of the output, and the network
    /// makes no new ones.
    #[error("outputs that pay to a script's hash are not supported")]
    ScriptHash,
    /// The output holds data and cannot be spent.
    #[error("the output holds data and cannot be spent")]
    Return,
    /// An opcode found too few values.
    #[error("an opcode found too few values on the stack")]
    StackUnderflow,
    /// A value that had to be true or equal was not.
    #[error("a condition of the locking script does not hold")]
    VerifyFailed,
    /// The signature is not of type ALL | FORKID.
    #[error("the signature type {0:#04x} is not 0x41")]
    SighashType(u8),
    /// The signature is malformed, malleable, or of something else.
    #[error("the signature is not acceptable")]
    Signature(#[from] SignatureError),
    /// The public key is malformed or not compressed.
    #[error("the public key is not acceptable")]
    PublicKey(#[from] KeyError),
    /// The script ended without true on top.
    #[error("the script ended without true on top of the stack")]
    FalseResult,
    /// The script left more than one value.
    #[error("the script left {0} values on the stack")]
    UncleanStack(usize),
}
