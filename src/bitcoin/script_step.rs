//! Reading a script step by step: pushes in their shortest form, and opcodes.

use crate::bitcoin::script_error::ScriptError;

pub(super) const OP_PUSHDATA1: u8 = 0x4c;
pub(super) const OP_PUSHDATA2: u8 = 0x4d;
pub(super) const OP_PUSHDATA4: u8 = 0x4e;
pub(super) const OP_1NEGATE: u8 = 0x4f;
pub(super) const OP_1: u8 = 0x51;
pub(super) const OP_16: u8 = 0x60;

/// The single bytes 1 to 16: they have opcodes of their own.
const SMALL_NUMBERS: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
/// Longer than any value that a payment hashes or compares.
const MAX_ELEMENT_SIZE: usize = 1 << 16;

/// One step of a script.
pub(super) enum Step<'a> {
    Push(&'a [u8]),
    Opcode(u8),
}

/// Takes the next step off the front of a script, or nothing at its end.
pub(super) fn next_step<'a>(script: &mut &'a [u8]) -> Result<Option<Step<'a>>, ScriptError> {
    let Some((opcode, rest)) = script.split_first() else { return Ok(None) };
    *script = rest;
    let data = match *opcode {
        direct @ 0..OP_PUSHDATA1 => take(script, usize::from(direct))?,
        OP_PUSHDATA1 => take_counted::<1>(script, OP_PUSHDATA1.into())?,
        OP_PUSHDATA2 => take_counted::<2>(script, 0x100)?,
        OP_PUSHDATA4 => take_counted::<4>(script, 0x1_0000)?,
        OP_1NEGATE => return Ok(Some(Step::Push(&[0x81]))),
        small @ OP_1..=OP_16 => {
            let index = usize::from(small - OP_1);
            return Ok(Some(Step::Push(&SMALL_NUMBERS[index..=index])));
        }
        other => return Ok(Some(Step::Opcode(other))),
    };
    match data {
        [1..=16 | 0x81] => Err(ScriptError::NonMinimalPush),
        long if long.len() > MAX_ELEMENT_SIZE => Err(ScriptError::ElementSize(long.len())),
        data => Ok(Some(Step::Push(data))),
    }
}

/// Takes a push whose length stands in `N` bytes, which fewer than `least` bytes do not need.
fn take_counted<'a, const N: usize>(
    script: &mut &'a [u8],
    least: usize,
) -> Result<&'a [u8], ScriptError> {
    let mut little = [0u8; 8];
    little[..N].copy_from_slice(take(script, N)?);
    let length =
        usize::try_from(u64::from_le_bytes(little)).map_err(|_| ScriptError::TruncatedPush)?;
    let data = take(script, length)?;
    if length < least { Err(ScriptError::NonMinimalPush) } else { Ok(data) }
}

fn take<'a>(script: &mut &'a [u8], length: usize) -> Result<&'a [u8], ScriptError> {
    let (data, rest) = script.split_at_checked(length).ok_or(ScriptError::TruncatedPush)?;
    *script = rest;
    Ok(data)
}
