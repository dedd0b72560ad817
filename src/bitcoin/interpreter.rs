//! A small, strict script interpreter: what it accepts, the network accepts.
//!
//! The reverse does not hold. Only the opcodes of ordinary payments run, anything else is
//! [`ScriptError::UnsupportedOpcode`]; malleable encodings (BIP 62, BIP 66, BIP 146) are refused,
//! and so is every signature type but ALL | FORKID. Work and memory are bounded on any input.

use std::borrow::Cow;

use crate::bitcoin::script_error::ScriptError;
use crate::bitcoin::script_step::{Step, next_step};
use crate::bitcoin::{SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxOut};
use crate::crypto::{PublicKey, Signature, hash160, sha256, sha256d};
use crate::types::Digest;

const OP_NOP: u8 = 0x61;
const OP_VERIFY: u8 = 0x69;
const OP_RETURN: u8 = 0x6a;
const OP_DROP: u8 = 0x75;
const OP_DUP: u8 = 0x76;
const OP_EQUAL: u8 = 0x87;
const OP_EQUALVERIFY: u8 = 0x88;
const OP_SHA256: u8 = 0xa8;
const OP_HASH160: u8 = 0xa9;
const OP_HASH256: u8 = 0xaa;
const OP_CHECKSIG: u8 = 0xac;
const OP_CHECKSIGVERIFY: u8 = 0xad;

/// More opcodes than any payment has; bounds the hashing a hostile script can ask for.
const MAX_OPERATIONS: usize = 500;

/// Runs unlocking then locking script of input `index` against the output it spends.
///
/// `cache` must be of the same transaction.
pub fn verify_input(
    transaction: &Transaction,
    index: usize,
    spent: &TxOut,
    cache: &SighashCache<'_>,
) -> Result<(), ScriptError> {
    let input = transaction.inputs.get(index).ok_or(ScriptError::NoSuchInput(index))?;
    let locking = &spent.locking_script;
    let sighash =
        cache.sighash(index, locking, spent.value).ok_or(ScriptError::NoSuchInput(index))?;
    if let [OP_HASH160, 20, hash @ .., OP_EQUAL] = locking.as_bytes()
        && hash.len() == 20
    {
        return Err(ScriptError::ScriptHash);
    }
    let mut machine = Machine { stack: Vec::new(), operations: 0, sighash };
    machine.push_only(&input.unlocking_script)?;
    machine.run(locking)?;
    match machine.stack.as_slice() {
        [] => Err(ScriptError::FalseResult),
        [.., top] if !is_true(top) => Err(ScriptError::FalseResult),
        [_] => Ok(()),
        more => Err(ScriptError::UncleanStack(more.len())),
    }
}

/// Runs all inputs; `spent` are the outputs they spend, in the order of the inputs.
pub fn verify_transaction(transaction: &Transaction, spent: &[TxOut]) -> Result<(), ScriptError> {
    let inputs = transaction.inputs.len();
    if inputs != spent.len() {
        return Err(ScriptError::CountMismatch { inputs, spent: spent.len() });
    }
    if inputs == 0 {
        return Err(ScriptError::NoSuchInput(0));
    }
    let cache = SighashCache::new(transaction);
    spent
        .iter()
        .enumerate()
        .try_for_each(|(index, output)| verify_input(transaction, index, output, &cache))
}

/// Values borrow from the scripts, so that duplicating a long one costs nothing.
struct Machine<'a> {
    stack: Vec<Cow<'a, [u8]>>,
    operations: usize,
    /// What every signature of the input signs: no supported opcode changes the signed script.
    sighash: Digest,
}

impl<'a> Machine<'a> {
    fn push_only(&mut self, script: &'a Script) -> Result<(), ScriptError> {
        let mut rest = script.as_bytes();
        while let Some(step) = next_step(&mut rest)? {
            match step {
                Step::Push(data) => self.stack.push(Cow::Borrowed(data)),
                Step::Opcode(_) => return Err(ScriptError::NotPushOnly),
            }
        }
        Ok(())
    }

    fn run(&mut self, script: &'a Script) -> Result<(), ScriptError> {
        let mut rest = script.as_bytes();
        while let Some(step) = next_step(&mut rest)? {
            match step {
                Step::Push(data) => self.stack.push(Cow::Borrowed(data)),
                Step::Opcode(opcode) => self.execute(opcode)?,
            }
        }
        Ok(())
    }

    fn execute(&mut self, opcode: u8) -> Result<(), ScriptError> {
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            return Err(ScriptError::TooManyOperations);
        }
        match opcode {
            OP_NOP => {}
            OP_RETURN => return Err(ScriptError::Return),
            OP_DROP => drop(self.pop()?),
            OP_DUP => {
                let top = self.stack.last().cloned().ok_or(ScriptError::StackUnderflow)?;
                self.stack.push(top);
            }
            OP_VERIFY => self.verify()?,
            OP_EQUAL => self.equal()?,
            OP_EQUALVERIFY => self.equal().and_then(|()| self.verify())?,
            OP_SHA256 => self.hash(|data| sha256(data).to_vec())?,
            OP_HASH160 => self.hash(|data| hash160(data).to_vec())?,
            OP_HASH256 => self.hash(|data| sha256d(data).to_vec())?,
            OP_CHECKSIG => self.check_signature()?,
            OP_CHECKSIGVERIFY => self.check_signature().and_then(|()| self.verify())?,
            other => return Err(ScriptError::UnsupportedOpcode(other)),
        }
        Ok(())
    }

    fn pop(&mut self) -> Result<Cow<'a, [u8]>, ScriptError> {
        self.stack.pop().ok_or(ScriptError::StackUnderflow)
    }

    fn push_bool(&mut self, value: bool) {
        self.stack.push(Cow::Borrowed(if value { &[1] } else { &[] }));
    }

    fn verify(&mut self) -> Result<(), ScriptError> {
        if is_true(&self.pop()?) { Ok(()) } else { Err(ScriptError::VerifyFailed) }
    }

    fn equal(&mut self) -> Result<(), ScriptError> {
        let (right, left) = (self.pop()?, self.pop()?);
        self.push_bool(left == right);
        Ok(())
    }

    fn hash(&mut self, function: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), ScriptError> {
        let hash = function(&self.pop()?);
        self.stack.push(Cow::Owned(hash));
        Ok(())
    }

    /// Pushes true for a good signature and false for an empty one. Any other is an error, so that
    /// nobody can change a transaction's bytes by putting rubbish where a failure is expected.
    fn check_signature(&mut self) -> Result<(), ScriptError> {
        let key = PublicKey::from_bytes(&self.pop()?)?;
        let signed = self.pop()?;
        let Some((sighash_type, der)) = signed.split_last() else {
            self.push_bool(false);
            return Ok(());
        };
        if *sighash_type != SIGHASH_ALL_FORKID {
            return Err(ScriptError::SighashType(*sighash_type));
        }
        key.verify(&self.sighash, &Signature::from_der(der)?)?;
        self.push_bool(true);
        Ok(())
    }
}

/// Says whether a value is true: any bit set, minus zero excepted.
fn is_true(value: &[u8]) -> bool {
    match value.split_last() {
        Some((last, front)) => *last & 0x7f != 0 || front.iter().any(|byte| *byte != 0),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::TxIn;
    use crate::bitcoin::script_step::{
        OP_1, OP_1NEGATE, OP_16, OP_PUSHDATA1, OP_PUSHDATA2, OP_PUSHDATA4,
    };
    use crate::crypto::{KeyError, SecretKey, SignatureError};
    use crate::types::{OutPoint, Satoshis, Txid};

    fn spending(unlocking: Vec<u8>) -> Transaction {
        let input = TxIn {
            previous: OutPoint::new(Txid::from_bytes([7; 32]), 0),
            unlocking_script: Script::from_bytes(unlocking),
            sequence: u32::MAX,
        };
        let output = TxOut { value: Satoshis::from_const(9), locking_script: Script::data(&[]) };
        Transaction { version: 1, inputs: vec![input], outputs: vec![output], lock_time: 0 }
    }

    fn output(locking: &[u8]) -> TxOut {
        let locking_script = Script::from_bytes(locking.to_vec());
        TxOut { value: Satoshis::from_const(10), locking_script }
    }

    fn run(unlocking: &[u8], locking: &[u8]) -> Result<(), ScriptError> {
        verify_transaction(&spending(unlocking.to_vec()), &[output(locking)])
    }

    /// Pays to the hash of `key` and spends with what `unlock` makes of DER signature and key.
    fn pay(unlock: impl Fn(Vec<u8>, [u8; 33]) -> (Vec<u8>, Vec<u8>)) -> Result<(), ScriptError> {
        let key = SecretKey::from_bytes(&[5; 32]).unwrap();
        let locking = Script::pay_to_public_key_hash(&key.public_key().hash160());
        let mut transaction = spending(vec![]);
        let cache = SighashCache::new(&transaction);
        let sighash = cache.sighash(0, &locking, Satoshis::from_const(10)).unwrap();
        let (signed, public) = unlock(key.sign(&sighash).to_der(), key.public_key().to_bytes());
        let mut script = vec![u8::try_from(signed.len()).unwrap()];
        script.extend(signed);
        script.push(u8::try_from(public.len()).unwrap());
        script.extend(public);
        transaction.inputs[0].unlocking_script = Script::from_bytes(script);
        verify_transaction(&transaction, &[output(locking.as_bytes())])
    }

    fn with_type(mut der: Vec<u8>, sighash_type: u8) -> Vec<u8> {
        der.push(sighash_type);
        der
    }

    #[test]
    fn a_payment_is_spent_by_its_key_and_type_0x41_only() {
        assert_eq!(pay(|der, key| (with_type(der, 0x41), key.to_vec())), Ok(()));
        for other in (0..=0xff).filter(|other| *other != 0x41) {
            let result = pay(|der, key| (with_type(der, other), key.to_vec()));
            assert_eq!(result, Err(ScriptError::SighashType(other)));
        }
        let wrong_key = pay(|der, _| (with_type(der, 0x41), vec![2; 33]));
        assert_eq!(wrong_key, Err(ScriptError::VerifyFailed));
        let nothing = pay(|_, key| (vec![], key.to_vec()));
        assert_eq!(nothing, Err(ScriptError::FalseResult));
    }

    #[test]
    fn failing_and_malformed_signatures_are_errors() {
        let other = SecretKey::from_bytes(&[6; 32]).unwrap().sign(&Digest::from_bytes([1; 32]));
        let failing = pay(|_, key| (with_type(other.to_der(), 0x41), key.to_vec()));
        assert_eq!(failing, Err(ScriptError::Signature(SignatureError::Mismatch)));
        let cut = pay(|der, key| (with_type(der[..60].to_vec(), 0x41), key.to_vec()));
        assert_eq!(cut, Err(ScriptError::Signature(SignatureError::NotDer)));
        let uncompressed = run(&[0, 2, 4, 4], &[OP_CHECKSIG]);
        assert_eq!(uncompressed, Err(ScriptError::PublicKey(KeyError::NotCompressed)));
    }

    #[test]
    fn unlocking_scripts_only_push_and_only_in_the_shortest_form() {
        let drop_all = [OP_DROP, OP_1];
        for push in [&[0][..], &[OP_1NEGATE], &[OP_1], &[OP_16], &[1, 0], &[1, 17], &[2, 1, 0]] {
            assert_eq!(run(push, &drop_all), Ok(()), "{push:?}");
        }
        for (length, prefix) in [
            (75usize, &[75u8][..]),
            (76, &[OP_PUSHDATA1, 76]),
            (255, &[OP_PUSHDATA1, 255]),
            (256, &[OP_PUSHDATA2, 0, 1]),
            (65_536, &[OP_PUSHDATA4, 0, 0, 1, 0]),
        ] {
            let push = [prefix, &vec![0x33; length]].concat();
            assert_eq!(run(&push, &drop_all), Ok(()), "{length}");
            assert_eq!(run(&push[..length], &drop_all), Err(ScriptError::TruncatedPush));
        }
        for push in
            [&[1, 1][..], &[1, 16], &[1, 0x81], &[OP_PUSHDATA1, 0], &[OP_PUSHDATA2, 1, 0, 33]]
        {
            assert_eq!(run(push, &drop_all), Err(ScriptError::NonMinimalPush), "{push:?}");
        }
        assert_eq!(run(&[OP_1, OP_NOP], &[]), Err(ScriptError::NotPushOnly));
        let long = [&[OP_PUSHDATA4, 1, 0, 1, 0][..], &[0; 65_537]].concat();
        assert_eq!(run(&long, &drop_all), Err(ScriptError::ElementSize(65_537)));
    }

    #[test]
    fn scripts_end_with_true_alone_on_the_stack() {
        assert_eq!(run(&[OP_1], &[]), Ok(()));
        assert_eq!(run(&[], &[]), Err(ScriptError::FalseResult));
        assert_eq!(run(&[OP_1, 0], &[]), Err(ScriptError::FalseResult));
        assert_eq!(run(&[2, 0, 0x80], &[]), Err(ScriptError::FalseResult), "minus zero");
        assert_eq!(run(&[OP_1, OP_1], &[]), Err(ScriptError::UncleanStack(2)));
    }

    #[test]
    fn opcodes_do_what_they_say() {
        let hashed = |opcode: u8, hash: &[u8]| {
            let length = u8::try_from(hash.len()).unwrap();
            [&[OP_NOP, OP_DUP, opcode, length][..], hash, &[OP_EQUALVERIFY, OP_VERIFY, OP_1]]
                .concat()
        };
        for locking in [
            hashed(OP_SHA256, &sha256(b"abc")),
            hashed(OP_HASH256, &sha256d(b"abc")),
            hashed(OP_HASH160, &hash160(b"abc")),
        ] {
            assert_eq!(run(b"\x03abc", &locking), Ok(()));
            assert_eq!(run(b"\x03abd", &locking), Err(ScriptError::VerifyFailed));
            assert_eq!(run(b"", &locking), Err(ScriptError::StackUnderflow));
        }
        assert_eq!(run(&[OP_1, 0x52], &[OP_EQUAL]), Err(ScriptError::FalseResult));
    }

    #[test]
    fn what_is_not_an_ordinary_payment_does_not_run() {
        assert_eq!(run(&[OP_1], Script::data(&[b"x"]).as_bytes()), Err(ScriptError::Return));
        assert_eq!(run(&[OP_1], &[OP_RETURN]), Err(ScriptError::Return));
        let script_hash = [&[OP_HASH160, 20][..], &[1; 20], &[OP_EQUAL]].concat();
        assert_eq!(run(&[OP_1], &script_hash), Err(ScriptError::ScriptHash));
        for opcode in [0x50, 0x63, 0x7e, 0xab, 0xae, 0xb1, 0xff] {
            let result = run(&[OP_1], &[opcode]);
            assert_eq!(result, Err(ScriptError::UnsupportedOpcode(opcode)));
        }
        assert_eq!(run(&[OP_1], &[OP_NOP; 501]), Err(ScriptError::TooManyOperations));
        assert_eq!(run(&[OP_1], &[OP_NOP; 500]), Ok(()));
    }

    #[test]
    fn inputs_and_spent_outputs_go_in_pairs() {
        let mut transaction = spending(vec![OP_1]);
        let error = ScriptError::CountMismatch { inputs: 1, spent: 0 };
        assert_eq!(verify_transaction(&transaction, &[]), Err(error));
        transaction.inputs.clear();
        assert_eq!(verify_transaction(&transaction, &[]), Err(ScriptError::NoSuchInput(0)));
    }
}
