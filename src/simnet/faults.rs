//! The fault menu: what goes wrong with answers, how often, and for which requests.
//!
//! The decision is pure and repeatable: the same rules, seed and requests give the same faults, so
//! that a simulation without HTTP can ask the menu too.

use serde::{Deserialize, Serialize};

/// How a lost request or answer looks to the one who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The connection breaks.
    #[default]
    ConnectionClosed,
    /// A gateway says 502.
    BadGateway,
    /// A gateway says 504.
    GatewayTimeout,
}

/// One thing that can go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The request never reaches the node.
    DropRequest {
        /// What the caller sees.
        #[serde(default)]
        loss: Loss,
    },
    /// The node does as asked; the answer is lost.
    LoseAnswer {
        /// What the caller sees.
        #[serde(default)]
        loss: Loss,
    },
    /// The answer comes late; other faults may come on top.
    Delay {
        /// How late.
        delay_ms: u64,
    },
    /// A transaction is delivered twice; the second answer is the one that is heard.
    DeliverTwice,
    /// The request is refused in these words, and not even looked at.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The whole body.
        body: String,
    },
    /// A transaction is accepted under another identifier, says the answer.
    WrongTxid,
    /// Reads see the chain as it was so many blocks ago.
    Lag {
        /// How many.
        blocks: u32,
    },
    /// Every transaction asked for is mined in the newest block, says the answer.
    ForgeStatus,
    /// The proof leads to another root.
    ForgeProof,
    /// `[]`.
    EmptyList,
    /// A page of HTML with status 200.
    Html,
    /// Status 200 with an error inside.
    ErrorInside,
    /// Status 429.
    RateLimited {
        /// The pause asked for, if any.
        retry_after_secs: Option<u64>,
    },
    /// Status 503.
    Unavailable,
}

/// A group of requests that faults can be aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestClass {
    /// Sending a transaction.
    Broadcast,
    /// Asking what became of transactions.
    Status,
    /// Asking for a Merkle proof.
    Proof,
    /// Listing the outputs of an address or script.
    Unspent,
    /// Asking who spends an output.
    Spend,
    /// Asking for a transaction's bytes.
    Transaction,
    /// Asking for headers or the tip.
    Header,
}

impl RequestClass {
    /// Returns the class of a path below `/v1/bsv/{network}`.
    pub fn of_path(path: &str) -> Self {
        let mut parts = path.trim_matches('/').split('/');
        match (parts.next(), parts.next(), parts.next_back()) {
            (Some("tx"), Some("raw"), _) => Self::Broadcast,
            (Some("tx"), _, Some("tsc")) => Self::Proof,
            (Some("tx"), _, Some("spent")) => Self::Spend,
            (Some("tx"), _, Some("hex")) => Self::Transaction,
            (Some("tx" | "txs"), _, _) => Self::Status,
            (Some("address" | "script"), _, _) => Self::Unspent,
            _ => Self::Header,
        }
    }
}

/// How often a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occurrence {
    /// Whenever a request matches.
    Always,
    /// For the next so many requests that match.
    Times(u32),
    /// For so many of a thousand requests that match, by the menu's own generator.
    PerMille(u16),
}

/// A fault, whom it strikes and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// For which requests; all when absent.
    #[serde(default)]
    pub class: Option<RequestClass>,
    /// How often.
    #[serde(default = "once")]
    pub occurrence: Occurrence,
    /// How many matching requests pass before.
    #[serde(default)]
    pub skip: u32,
}

const fn once() -> Occurrence {
    Occurrence::Times(1)
}

impl FaultRule {
    /// Strikes the next request of `class`.
    pub const fn once(fault: Fault, class: RequestClass) -> Self {
        Self { fault, class: Some(class), occurrence: once(), skip: 0 }
    }

    /// Strikes every request of `class`.
    pub const fn always(fault: Fault, class: RequestClass) -> Self {
        Self { fault, class: Some(class), occurrence: Occurrence::Always, skip: 0 }
    }
}

/// What befalls one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// How late the answer comes.
    pub delay_ms: u64,
    /// What else goes wrong.
    pub fault: Option<Fault>,
}

/// The rules in force.
#[derive(Debug, Clone)]
pub struct FaultMenu {
    rules: Vec<FaultRule>,
    generator: u64,
    struck: u64,
}

impl FaultMenu {
    /// Starts without rules; `seed` decides what [`Occurrence::PerMille`] strikes.
    pub const fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), generator: seed, struck: 0 }
    }

    /// Adds a rule after those in force.
    pub fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Returns the rules in force, each with what is left of it.
    pub fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// Returns how many faults have struck.
    pub const fn struck(&self) -> u64 {
        self.struck
    }

    /// Decides what befalls a request: delays add up, of all else the first rule that strikes
    /// counts and the rules after it are not used up.
    pub fn decide(&mut self, class: RequestClass) -> Decision {
        let mut decision = Decision::default();
        for index in 0..self.rules.len() {
            let is_delay = matches!(self.rules[index].fault, Fault::Delay { .. });
            if (decision.fault.is_some() && !is_delay) || !self.strikes(index, class) {
                continue;
            }
            self.struck = self.struck.saturating_add(1);
            let fault = &self.rules[index].fault;
            if let Fault::Delay { delay_ms } = fault {
                decision.delay_ms = decision.delay_ms.saturating_add(*delay_ms);
            } else {
                decision.fault = Some(fault.clone());
            }
        }
        self.rules.retain(|rule| rule.occurrence != Occurrence::Times(0));
        decision
    }

    fn strikes(&mut self, index: usize, class: RequestClass) -> bool {
        let rule = &mut self.rules[index];
        if rule.class.is_some_and(|wanted| wanted != class) {
            return false;
        }
        if rule.skip > 0 {
            rule.skip -= 1;
            return false;
        }
        match &mut rule.occurrence {
            Occurrence::Always => true,
            Occurrence::Times(left) => {
                let any = *left > 0;
                *left = left.saturating_sub(1);
                any
            }
            Occurrence::PerMille(share) => {
                let share = u64::from(*share);
                self.next_number() % 1000 < share
            }
        }
    }

    /// Steps the generator (SplitMix64): small, well mixed, and the same everywhere.
    const fn next_number(&mut self) -> u64 {
        self.generator = self.generator.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.generator;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fall_into_their_classes() {
        for (path, class) in [
            ("/tx/raw", RequestClass::Broadcast),
            ("/txs/status", RequestClass::Status),
            ("/tx/hash/ab", RequestClass::Status),
            ("/tx/ab/proof/tsc", RequestClass::Proof),
            ("/tx/ab/0/spent", RequestClass::Spend),
            ("/tx/ab/hex", RequestClass::Transaction),
            ("/address/a/unspent/all", RequestClass::Unspent),
            ("/script/ab/unspent/all", RequestClass::Unspent),
            ("/chain/info", RequestClass::Header),
            ("/block/ab/header", RequestClass::Header),
        ] {
            assert_eq!(RequestClass::of_path(path), class, "{path}");
        }
    }

    #[test]
    fn a_rule_strikes_its_class_as_often_as_told_and_no_more() {
        let mut menu = FaultMenu::new(0);
        let mut rule = FaultRule::once(Fault::Html, RequestClass::Status);
        rule.skip = 1;
        rule.occurrence = Occurrence::Times(2);
        menu.add(rule);
        let mut struck = |class| menu.decide(class).fault.is_some();
        assert!(!struck(RequestClass::Proof));
        assert!(!struck(RequestClass::Status), "the first passes");
        assert!(struck(RequestClass::Status));
        assert!(!struck(RequestClass::Proof));
        assert!(struck(RequestClass::Status));
        assert!(!struck(RequestClass::Status));
        assert!(menu.rules().is_empty());
        assert_eq!(menu.struck(), 2);
    }

    #[test]
    fn delays_add_up_and_the_first_other_fault_counts() {
        let mut menu = FaultMenu::new(0);
        let all = |fault| FaultRule { fault, class: None, occurrence: once(), skip: 0 };
        menu.add(all(Fault::Delay { delay_ms: 5 }));
        menu.add(all(Fault::Unavailable));
        menu.add(all(Fault::EmptyList));
        menu.add(all(Fault::Delay { delay_ms: 7 }));
        let first = menu.decide(RequestClass::Header);
        assert_eq!(first, Decision { delay_ms: 12, fault: Some(Fault::Unavailable) });
        let second = menu.decide(RequestClass::Header);
        assert_eq!(second, Decision { delay_ms: 0, fault: Some(Fault::EmptyList) });
        assert_eq!(menu.decide(RequestClass::Header), Decision::default());
    }

    #[test]
    fn chance_repeats_with_the_seed_and_keeps_its_share() {
        let run = |seed| {
            let mut menu = FaultMenu::new(seed);
            let mut rule = FaultRule::always(Fault::Html, RequestClass::Proof);
            rule.occurrence = Occurrence::PerMille(250);
            menu.add(rule);
            let one = |_| menu.decide(RequestClass::Proof).fault.is_some();
            (0..4000).map(one).collect::<Vec<bool>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let struck = run(1).into_iter().filter(|struck| *struck).count();
        assert!((900..1100).contains(&struck), "{struck}");
    }

    #[test]
    fn rules_are_written_as_plain_json() {
        let rule: FaultRule = serde_json::from_str(
            r#"{"fault":{"kind":"lose_answer","loss":"gateway_timeout"},"class":"broadcast",
                "occurrence":{"times":3},"skip":1}"#,
        )
        .unwrap();
        let expected = FaultRule {
            fault: Fault::LoseAnswer { loss: Loss::GatewayTimeout },
            class: Some(RequestClass::Broadcast),
            occurrence: Occurrence::Times(3),
            skip: 1,
        };
        assert_eq!(rule, expected);
        let short: FaultRule =
            serde_json::from_str(r#"{"fault":{"kind":"drop_request"}}"#).unwrap();
        assert_eq!(short.occurrence, Occurrence::Times(1));
        assert!(serde_json::from_str::<FaultRule>(r#"{"fault":{"kind":"other"}}"#).is_err());
    }
}
