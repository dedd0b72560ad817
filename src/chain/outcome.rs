//! What an endpoint's answer to a broadcast means.
//!
//! Only words that are known to be a verdict about the bytes count as one. Everything else, a
//! strange success included, teaches nothing: the transaction may be out there, its inputs stay
//! taken, and the same bytes are sent again.

use crate::outbound::excerpt;
use crate::types::Txid;

/// What is known after sending a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastOutcome {
    /// The network took it.
    Accepted,
    /// The network had it already: as good as taken.
    AlreadyKnown,
    /// Nothing was learned: it may or may not be out there. The same bytes are sent again.
    Unknown {
        /// What happened, for the operator.
        reason: String,
        /// A pause the endpoint asked for.
        retry_after_ms: Option<u64>,
    },
    /// Another transaction spends one of the inputs, it says; to be confirmed by its spender.
    Conflict {
        /// The endpoint's words.
        reason: String,
    },
    /// The bytes break a rule: they will never be taken.
    Invalid {
        /// The endpoint's words.
        reason: String,
    },
    /// The fee is below what this endpoint relays.
    FeeTooLow {
        /// The endpoint's words.
        reason: String,
    },
    /// A parent is not known there, or an input was spent in a block: ambiguous.
    Orphan {
        /// The endpoint's words.
        reason: String,
    },
}

/// Words of BSV nodes that say that the transaction is there already.
const ALREADY: [&str; 4] = [
    "transaction already in the mempool",
    "txn-already-known",
    "txn-already-in-mempool",
    "transaction already in block chain",
];
/// Words about another transaction that spends the same output.
const CONFLICT: [&str; 2] = ["txn-mempool-conflict", "txn-double-spend-detected"];
/// Words about an input that the node cannot find, now.
const ORPHAN: [&str; 4] =
    ["missing inputs", "missing-inputs", "bad-txns-inputs-missingorspent", "bad-txns-inputs-spent"];
/// Words about the node or the time, although they come with the code of a verdict: the same bytes
/// can be taken later.
const CONDITION: [&str; 6] = [
    "mempool full",
    "too-long-mempool-chain",
    "non-final",
    "nonfinal",
    "bad-txns-premature-spend-of-coinbase",
    "bad-txns-inputs-frozen",
];
/// Words about the fee.
const FEE: [&str; 4] = [
    "mempool min fee not met",
    "min relay fee not met",
    "insufficient priority",
    "insufficient fee",
];
/// Words about rules that the bytes break.
const INVALID: [&str; 2] = ["mandatory-script-verify-flag", "bad-txns-"];
/// Nodes' reject code for a transaction that breaks their standards.
const NONSTANDARD_CODE: &str = "64:";

/// Classifies an answer of WhatsOnChain to POST /tx/raw.
pub fn classify_whatsonchain(status: u16, body: &str, txid: Txid) -> BroadcastOutcome {
    match status {
        200..=299 => classify_success(body, txid),
        // Only these carry a node's words; the others are about the endpoint itself.
        400 | 422 | 500 => classify_words(status, body),
        _ => unknown(format!("HTTP {status}: {body}")),
    }
}

fn classify_success(body: &str, txid: Txid) -> BroadcastOutcome {
    let named = body.trim();
    let named = named.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(named);
    match named.trim().parse::<Txid>() {
        Ok(named) if named == txid => BroadcastOutcome::Accepted,
        Ok(named) => unknown(format!("the answer names another txid, {named}")),
        Err(_) => unknown(format!("the answer is a success without a txid: {body}")),
    }
}

fn classify_words(status: u16, body: &str) -> BroadcastOutcome {
    classify_node_words(body).unwrap_or_else(|| unknown(format!("HTTP {status}: {body}")))
}

/// Classifies the words of a node, whoever passes them on; nothing if they are none that are known.
pub(super) fn classify_node_words(body: &str) -> Option<BroadcastOutcome> {
    let words = node_words(body);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let reason = excerpt(body);
    // A page of markup is from something in between; a node's words in it prove nothing.
    if words.starts_with('<') {
        None
    } else if says(&ALREADY) {
        Some(BroadcastOutcome::AlreadyKnown)
    } else if says(&CONFLICT) {
        Some(BroadcastOutcome::Conflict { reason })
    } else if says(&ORPHAN) {
        Some(BroadcastOutcome::Orphan { reason })
    } else if says(&CONDITION) {
        Some(unknown(body.to_owned()))
    } else if says(&FEE) {
        Some(BroadcastOutcome::FeeTooLow { reason })
    } else if says(&INVALID) || words.starts_with(NONSTANDARD_CODE) {
        Some(BroadcastOutcome::Invalid { reason })
    } else {
        None
    }
}

/// Returns the node's own words in lower case, without the wrapping that the endpoint adds.
fn node_words(body: &str) -> String {
    let lower = body.to_lowercase();
    let text = lower.trim_matches(|c: char| c.is_whitespace() || c == '"');
    let unwrapped = text
        .strip_prefix("unexpected response code ")
        .and_then(|rest| rest.split_once(':'))
        .map_or(text, |(_, words)| words);
    unwrapped.trim_start().to_owned()
}

fn unknown(reason: String) -> BroadcastOutcome {
    BroadcastOutcome::Unknown { reason: excerpt(&reason), retry_after_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::MAX_EXCERPT;

    const TXID: Txid = Txid::from_bytes([0xab; 32]);

    fn class(outcome: &BroadcastOutcome) -> &'static str {
        match outcome {
            BroadcastOutcome::Accepted => "accepted",
            BroadcastOutcome::AlreadyKnown => "already",
            BroadcastOutcome::Unknown { .. } => "condition",
            BroadcastOutcome::Conflict { .. } => "conflict",
            BroadcastOutcome::Invalid { .. } => "verdict_invalid",
            BroadcastOutcome::FeeTooLow { .. } => "verdict_fee",
            BroadcastOutcome::Orphan { .. } => "ambiguous",
        }
    }

    fn classify(status: u16, body: &str) -> &'static str {
        class(&classify_whatsonchain(status, body, TXID))
    }

    #[test]
    fn every_recorded_answer_has_its_class() {
        let text = include_str!("../../tests/vectors/anchoring/woc_broadcast_answers.json");
        let recorded: serde_json::Value = serde_json::from_str(text).unwrap();
        for answer in recorded["answers"].as_array().unwrap() {
            let status = u16::try_from(answer["http"].as_u64().unwrap()).unwrap();
            let body = answer["body"].as_str().unwrap().replace("<txid>", &TXID.to_string());
            assert_eq!(classify(status, &body), answer["class"].as_str().unwrap(), "{answer}");
        }
    }

    #[test]
    fn a_success_counts_only_with_our_own_txid() {
        for body in [TXID.to_string(), format!("\"{TXID}\"\n"), format!(" {TXID} \r\n")] {
            assert_eq!(classify(200, &body), "accepted");
        }
        let other = Txid::from_bytes([1; 32]).to_string();
        let html = "<html>Transaction already in the mempool</html>";
        for body in ["", "{}", "null", "ok", html, &other, "unexpected response code 500: 257: x"] {
            assert_eq!(classify(200, body), "condition", "{body}");
            assert_eq!(classify(500, body), "condition", "{body}");
        }
    }

    #[test]
    fn node_words_count_in_any_case_and_wrapping() {
        for status in [400, 422, 500] {
            assert_eq!(classify(status, "TXN-ALREADY-KNOWN"), "already");
            assert_eq!(
                classify(status, "\"unexpected response code 500: Missing inputs\""),
                "ambiguous"
            );
            assert_eq!(classify(status, "64: dust"), "verdict_invalid");
            assert_eq!(classify(status, "16: bad-txns-inputs-missingorspent"), "ambiguous");
        }
        assert_eq!(classify(502, "unexpected response code 500: 64: dust"), "condition");
        assert_eq!(classify(409, "txn-mempool-conflict"), "condition");
    }

    #[test]
    fn what_passes_with_time_is_no_verdict() {
        for body in [
            "unexpected response code 500: 64: too-long-mempool-chain",
            "unexpected response code 500: 64: non-final",
            "unexpected response code 500: 66: mempool full",
            "unexpected response code 500: something nobody has seen",
            "error 64: in the middle",
        ] {
            assert_eq!(classify(400, body), "condition", "{body}");
        }
    }

    #[test]
    fn reasons_are_short_and_printable() {
        let body = format!("16: bad-txns-{}\u{1b}[2J\n", "x".repeat(10_000));
        let outcome = classify_whatsonchain(400, &body, TXID);
        assert!(matches!(outcome, BroadcastOutcome::Invalid { reason }
            if reason.len() <= MAX_EXCERPT && !reason.contains(char::is_control)));
    }
}
