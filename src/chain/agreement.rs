//! What several endpoints' answers to one broadcast mean together: the weakest claim wins.
//!
//! Pure. The order of the answers does not matter, an endpoint that taught nothing changes nothing,
//! and the result never claims more than any endpoint that did say something.

use crate::chain::BroadcastOutcome;
use crate::outbound::excerpt;

/// How much an answer claims, from the least: what follows from it for a record grows with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// Nothing.
    Nothing,
    /// It is there.
    Taken,
    /// A parent is missing; looked into.
    Orphan,
    /// Somebody else spends an input; believed only with the spender at hand.
    Conflict,
    /// It pays too little; the record is held after a while.
    FeeTooLow,
    /// It breaks a rule; the record fails after a while.
    Invalid,
}

const fn claim(outcome: &BroadcastOutcome) -> Claim {
    match outcome {
        BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => Claim::Taken,
        BroadcastOutcome::Unknown { .. } => Claim::Nothing,
        BroadcastOutcome::Orphan { .. } => Claim::Orphan,
        BroadcastOutcome::Conflict { .. } => Claim::Conflict,
        BroadcastOutcome::FeeTooLow { .. } => Claim::FeeTooLow,
        BroadcastOutcome::Invalid { .. } => Claim::Invalid,
    }
}

/// Says whether an endpoint has the transaction, by its own word.
pub(super) fn is_taken(outcome: &BroadcastOutcome) -> bool {
    claim(outcome) == Claim::Taken
}

/// Says whether an endpoint speaks against the transaction.
pub(super) fn is_refused(outcome: &BroadcastOutcome) -> bool {
    claim(outcome) > Claim::Taken
}

/// Returns what `outcomes` mean together.
///
/// Taken by one and refused by another is [`BroadcastOutcome::Unknown`]: one of them is wrong, so
/// the bytes are kept and sent again, and the transaction is looked for. Of several refusals the
/// weakest counts. Without any answer the pause is the shortest that was asked for, and none if
/// somebody asked for none.
pub fn weakest_claim(outcomes: &[BroadcastOutcome]) -> BroadcastOutcome {
    let taken = outcomes.iter().filter(|outcome| is_taken(outcome));
    let refused = outcomes.iter().filter(|outcome| is_refused(outcome));
    // Equal claims are told apart by their words, so that the order of arrival does not show.
    let mildest = refused.min_by_key(|outcome| (claim(outcome), words(outcome)));
    let is_all_new = taken.clone().all(|outcome| matches!(outcome, BroadcastOutcome::Accepted));
    match (taken.count(), mildest) {
        (0, None) => nothing_learned(outcomes),
        (0, Some(mildest)) => mildest.clone(),
        (_, Some(mildest)) => disputed(words(mildest)),
        (_, None) if is_all_new => BroadcastOutcome::Accepted,
        (_, None) => BroadcastOutcome::AlreadyKnown,
    }
}

fn disputed(refusal: &str) -> BroadcastOutcome {
    let reason = excerpt(&format!("one endpoint took it, another refused it: {refusal}"));
    BroadcastOutcome::Unknown { reason, retry_after_ms: None }
}

fn nothing_learned(outcomes: &[BroadcastOutcome]) -> BroadcastOutcome {
    let mut reasons: Vec<&str> = outcomes.iter().map(words).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let pauses: Option<Vec<u64>> = outcomes.iter().map(pause).collect();
    BroadcastOutcome::Unknown {
        reason: excerpt(&reasons.join("; ")),
        retry_after_ms: pauses.and_then(|pauses| pauses.into_iter().min()),
    }
}

fn pause(outcome: &BroadcastOutcome) -> Option<u64> {
    match outcome {
        BroadcastOutcome::Unknown { retry_after_ms, .. } => *retry_after_ms,
        BroadcastOutcome::Accepted
        | BroadcastOutcome::AlreadyKnown
        | BroadcastOutcome::Conflict { .. }
        | BroadcastOutcome::Invalid { .. }
        | BroadcastOutcome::FeeTooLow { .. }
        | BroadcastOutcome::Orphan { .. } => None,
    }
}

const fn words(outcome: &BroadcastOutcome) -> &str {
    match outcome {
        BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => "",
        BroadcastOutcome::Unknown { reason, .. }
        | BroadcastOutcome::Conflict { reason }
        | BroadcastOutcome::Invalid { reason }
        | BroadcastOutcome::FeeTooLow { reason }
        | BroadcastOutcome::Orphan { reason } => reason.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcome(name: &str) -> BroadcastOutcome {
        let reason = name.to_owned();
        match name {
            "accepted" => BroadcastOutcome::Accepted,
            "already" => BroadcastOutcome::AlreadyKnown,
            "orphan" => BroadcastOutcome::Orphan { reason },
            "conflict" => BroadcastOutcome::Conflict { reason },
            "fee" => BroadcastOutcome::FeeTooLow { reason },
            "invalid" => BroadcastOutcome::Invalid { reason },
            _ => BroadcastOutcome::Unknown { reason, retry_after_ms: None },
        }
    }

    #[test]
    fn two_answers_mean_what_the_table_says() {
        for (one, other, together) in [
            ("accepted", "accepted", "accepted"),
            ("accepted", "already", "already"),
            ("accepted", "silence", "accepted"),
            ("already", "silence", "already"),
            ("invalid", "silence", "invalid"),
            ("orphan", "silence", "orphan"),
            ("invalid", "invalid", "invalid"),
            ("invalid", "orphan", "orphan"),
            ("invalid", "conflict", "conflict"),
            ("invalid", "fee", "fee"),
            ("fee", "conflict", "conflict"),
            ("conflict", "orphan", "orphan"),
        ] {
            let pair = [outcome(one), outcome(other)];
            assert_eq!(weakest_claim(&pair), outcome(together), "{one} and {other}");
        }
        for taken in ["accepted", "already"] {
            for refusal in ["orphan", "conflict", "fee", "invalid"] {
                let heard = weakest_claim(&[outcome(taken), outcome(refusal)]);
                assert_eq!(claim(&heard), Claim::Nothing, "{taken} and {refusal}: {heard:?}");
            }
        }
    }

    #[test]
    fn silence_of_all_waits_no_longer_than_the_most_patient_endpoint_needs() {
        let silence =
            |retry_after_ms| BroadcastOutcome::Unknown { reason: "silence".into(), retry_after_ms };
        assert_eq!(weakest_claim(&[silence(Some(7)), silence(Some(3))]), silence(Some(3)));
        assert_eq!(weakest_claim(&[silence(Some(7)), silence(None)]), silence(None));
    }

    fn any_outcome() -> impl Strategy<Value = BroadcastOutcome> {
        let names = ["accepted", "already", "silence", "orphan", "conflict", "fee", "invalid"];
        (prop::sample::select(names.to_vec()), "[a-c]", prop::option::of(0..9u64)).prop_map(
            |(name, words, pause)| {
                let mut made = outcome(name);
                match &mut made {
                    BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => {}
                    BroadcastOutcome::Unknown { reason, retry_after_ms } => {
                        (*reason, *retry_after_ms) = (words, pause);
                    }
                    BroadcastOutcome::Conflict { reason }
                    | BroadcastOutcome::Invalid { reason }
                    | BroadcastOutcome::FeeTooLow { reason }
                    | BroadcastOutcome::Orphan { reason } => *reason = words,
                }
                made
            },
        )
    }

    proptest! {
        #[test]
        fn the_order_of_answers_does_not_matter(
            (outcomes, shuffled) in prop::collection::vec(any_outcome(), 1..5)
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
        ) {
            prop_assert_eq!(weakest_claim(&outcomes), weakest_claim(&shuffled));
        }

        #[test]
        fn nothing_is_claimed_beyond_what_every_answer_claims(
            outcomes in prop::collection::vec(any_outcome(), 1..5)
        ) {
            let together = claim(&weakest_claim(&outcomes));
            for outcome in outcomes.iter().filter(|outcome| claim(outcome) != Claim::Nothing) {
                prop_assert!(together <= claim(outcome), "{:?}", outcomes);
            }
            let takers = outcomes.iter().filter(|outcome| is_taken(outcome)).count();
            let refusers = outcomes.iter().filter(|outcome| is_refused(outcome)).count();
            prop_assert_eq!(together == Claim::Nothing, (takers == 0) == (refusers == 0));
        }
    }
}
