//! Sending a transaction to the node and hearing its answer, with whatever goes wrong in between.
//!
//! Pure but for the node it is given: the HTTP face and a simulation in one process share it.

use crate::simnet::{Fault, Loss, Rejection};
use crate::types::Txid;

/// The refusals that the public service was seen to give, as status and body.
pub const RECORDED_REFUSALS: [(u16, &str); 12] = [
    (400, "unexpected response code 500: Transaction already in the mempool"),
    (400, "unexpected response code 500: 257: txn-already-known"),
    (400, "unexpected response code 500: 257: txn-already-in-mempool"),
    (400, "unexpected response code 500: transaction already in block chain"),
    (400, "unexpected response code 500: Missing inputs"),
    (400, "unexpected response code 500: 258: txn-mempool-conflict"),
    (400, "unexpected response code 500: 66: mempool min fee not met"),
    (400, "unexpected response code 500: 66: insufficient priority"),
    (400, "unexpected response code 500: 64: bad-txns-too-many-sigops"),
    (400, "unexpected response code 500: 16: mandatory-script-verify-flag-failed (...)"),
    (429, "Too Many Requests"),
    (503, ""),
];

/// What the sender of a transaction hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// An answer.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// No answer.
    Lost(Loss),
}

impl Delivery {
    fn of(outcome: &Result<Txid, Rejection>) -> Self {
        match outcome {
            Ok(txid) => Self::Answered { status: 200, body: format!("\"{txid}\"") },
            Err(rejection) => {
                let body = format!("unexpected response code 500: {rejection}");
                Self::Answered { status: 400, body }
            }
        }
    }
}

/// What comes of sending a transaction, before it is put into a face's words.
pub(super) enum Heard<E> {
    /// What the node said, or seems to have said.
    Outcome(Result<Txid, E>),
    /// No answer.
    Lost(Loss),
    /// An answer that is not the node's.
    Instead {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
}

/// Lets `submit` take the transaction as often as `fault` lets it arrive, and returns what is heard.
pub(super) fn arrive<E>(
    fault: Option<&Fault>,
    mut submit: impl FnMut() -> Result<Txid, E>,
) -> Heard<E> {
    match fault {
        Some(Fault::DropRequest { loss }) => Heard::Lost(*loss),
        Some(Fault::LoseAnswer { loss }) => {
            // Whatever the node says, nobody hears it.
            drop(submit());
            Heard::Lost(*loss)
        }
        Some(Fault::DeliverTwice) => {
            drop(submit());
            Heard::Outcome(submit())
        }
        Some(Fault::Refuse { status, body }) => {
            Heard::Instead { status: *status, body: body.clone() }
        }
        Some(Fault::WrongTxid) => Heard::Outcome(submit().map(altered)),
        Some(
            fault @ (Fault::EmptyList
            | Fault::Html
            | Fault::ErrorInside
            | Fault::RateLimited { .. }
            | Fault::Unavailable),
        ) => canned_answer(fault).map_or_else(
            || Heard::Outcome(submit()),
            |(status, _, body)| Heard::Instead { status, body: body.to_owned() },
        ),
        None
        | Some(Fault::Delay { .. } | Fault::Lag { .. } | Fault::ForgeStatus | Fault::ForgeProof) => {
            Heard::Outcome(submit())
        }
    }
}

/// As `arrive`, in the explorer's words.
pub fn deliver(fault: Option<&Fault>, submit: impl FnMut() -> Result<Txid, Rejection>) -> Delivery {
    match arrive(fault, submit) {
        Heard::Outcome(outcome) => Delivery::of(&outcome),
        Heard::Lost(loss) => Delivery::Lost(loss),
        Heard::Instead { status, body } => Delivery::Answered { status, body },
    }
}

/// Returns the answer that a fault puts in the place of the real one: status, media type, body.
pub fn canned_answer(fault: &Fault) -> Option<(u16, &'static str, &'static str)> {
    match fault {
        Fault::EmptyList => Some((200, "application/json", "[]")),
        Fault::Html => Some((200, "text/html", "<html><body><h1>Welcome</h1></body></html>")),
        Fault::ErrorInside => Some((200, "application/json", r#"{"error":"internal error"}"#)),
        Fault::RateLimited { .. } => Some((429, "text/plain", "Too Many Requests")),
        Fault::Unavailable => Some((503, "text/plain", "")),
        Fault::DropRequest { .. }
        | Fault::LoseAnswer { .. }
        | Fault::Delay { .. }
        | Fault::DeliverTwice
        | Fault::Refuse { .. }
        | Fault::WrongTxid
        | Fault::Lag { .. }
        | Fault::ForgeStatus
        | Fault::ForgeProof => None,
    }
}

fn altered(txid: Txid) -> Txid {
    let mut bytes = txid.to_bytes();
    bytes[0] ^= 1;
    Txid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TXID: Txid = Txid::from_bytes([7; 32]);

    /// Returns what is heard, and how often the node was asked.
    fn heard(fault: Option<Fault>) -> (Delivery, u32) {
        let mut times = 0;
        let delivery = deliver(fault.as_ref(), || {
            times += 1;
            if times == 1 { Ok(TXID) } else { Err(Rejection::AlreadyKnown) }
        });
        (delivery, times)
    }

    fn answered(status: u16, body: &str) -> Delivery {
        Delivery::Answered { status, body: body.to_owned() }
    }

    #[test]
    fn each_fault_of_a_broadcast_reaches_the_node_as_often_as_it_says() {
        assert_eq!(heard(None), (answered(200, &format!("\"{TXID}\"")), 1));
        let loss = Loss::BadGateway;
        assert_eq!(heard(Some(Fault::DropRequest { loss })), (Delivery::Lost(loss), 0));
        assert_eq!(heard(Some(Fault::LoseAnswer { loss })), (Delivery::Lost(loss), 1));
        let twice = answered(400, "unexpected response code 500: 257: txn-already-known");
        assert_eq!(heard(Some(Fault::DeliverTwice)), (twice, 2));
        let (wrong, times) = heard(Some(Fault::WrongTxid));
        assert_ne!(wrong, heard(None).0);
        assert_eq!(times, 1);
        assert_eq!(heard(Some(Fault::Html)).1, 0);
        assert_eq!(heard(Some(Fault::Unavailable)), (answered(503, ""), 0));
        for (status, body) in RECORDED_REFUSALS {
            let fault = Fault::Refuse { status, body: body.to_owned() };
            assert_eq!(heard(Some(fault)), (answered(status, body), 0));
        }
    }
}
