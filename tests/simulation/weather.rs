//! What goes wrong between the system and the world, decided by the seed.
//!
//! A decision depends on seed, step, kind of request, its subject and how often that was asked in
//! this step: not on the order of requests that run side by side, nor on random identifiers.
//!
//! One limit: an endpoint that invents verdicts against valid bytes *and* denies transactions that
//! it knows cannot be told from one that is right. A seed has the one kind of liar or the other.

use std::collections::BTreeMap;

use patchproof::simnet::{Fault, Loss, RECORDED_REFUSALS};
use patchproof::types::Txid;

use crate::random::{Random, mix_all};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Broadcast,
    Status,
    Proof,
    Header,
    Unspent,
    Spend,
    Transaction,
    Sign,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The network's menu.
    Fault(Fault),
    /// The request arrives some steps later; nobody waits for its answer.
    Late,
    /// No answer.
    Unreachable,
    /// "Slow down".
    RateLimited,
    /// A transaction that the endpoint knows is denied, a proof or spender withheld.
    Denied,
    /// Somebody else is said to spend the output.
    FalseSpender,
    /// A list with outputs that do not exist or are worth something else.
    InventedOutputs,
    /// A header without work.
    ForgedHeader,
    /// The signer refuses.
    Refused,
    /// The signer's answer fails a check below the port.
    Untrustworthy,
    /// The signer's answer passes the port and does not sign the transaction.
    WrongSignature,
}

/// What a seed has more of than others: troubles that are rare together and worse for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theme {
    None,
    /// Others are said to spend what the system spends.
    Disputes,
    /// Answers are lost, and what comes is against the bytes.
    Verdicts,
}

#[derive(Debug)]
pub(crate) struct Weather {
    seed: u64,
    step: u64,
    rates: BTreeMap<Kind, Vec<(Trouble, u64)>>,
    storm: Option<(Kind, Trouble, u64)>,
    calls: BTreeMap<(Kind, u64), u64>,
    labels: BTreeMap<Txid, u64>,
    struck: u64,
    roughness: u64,
    invents_verdicts: bool,
    theme: Theme,
}

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(mix_all(&[seed, 1]));
        let roughness = *random.pick(&[0, 300, 600, 1000, 1600]).unwrap();
        let invents_verdicts = random.chance(500);
        let theme = match (random.below(3), invents_verdicts) {
            (0, _) => Theme::Disputes,
            (1, true) => Theme::Verdicts,
            (_, _) => Theme::None,
        };
        let mut weather = Self {
            seed,
            step: 0,
            rates: BTreeMap::new(),
            storm: None,
            calls: BTreeMap::new(),
            labels: BTreeMap::new(),
            struck: 0,
            roughness,
            invents_verdicts,
            theme,
        };
        weather.change(&mut random);
        weather
    }

    /// Everything works from now on.
    pub(crate) fn clear(&mut self) {
        self.rates.clear();
        self.storm = None;
        self.roughness = 0;
    }

    pub(crate) fn next_step(&mut self) {
        self.step += 1;
        self.calls.clear();
        self.storm = self.storm.take().filter(|(_, _, until)| *until > self.step);
    }

    pub(crate) const fn struck(&self) -> u64 {
        self.struck
    }

    /// Chooses anew how often what goes wrong, and sometimes one thing that always does for a while.
    pub(crate) fn change(&mut self, random: &mut Random) {
        let menu = menu(self.invents_verdicts);
        self.rates.clear();
        for (kind, trouble, rate) in &menu {
            let rate = rate * self.theme.weight(trouble);
            let rate = rate * self.roughness * random.between(0, 200) / 100_000;
            self.rates.entry(*kind).or_default().push((trouble.clone(), rate));
        }
        if self.roughness > 0 && random.chance(400) {
            let (kind, trouble, _) = random.pick(&menu).unwrap();
            self.storm = Some((*kind, trouble.clone(), self.step + random.between(2, 25)));
        }
    }

    /// Returns a number for a transaction that is the same in every run of a seed.
    pub(crate) fn label(&mut self, txid: Txid) -> u64 {
        let next = u64::try_from(self.labels.len()).unwrap();
        *self.labels.entry(txid).or_insert(next)
    }

    /// Decides what befalls a request about `subject`.
    pub(crate) fn strike(&mut self, kind: Kind, subject: u64) -> Option<Trouble> {
        let calls = self.calls.entry((kind, subject)).or_insert(0);
        *calls += 1;
        let number = mix_all(&[self.seed, self.step, kind as u64, subject, *calls]);
        let trouble = match &self.storm {
            Some((struck, trouble, _)) if *struck == kind => Some(trouble.clone()),
            Some(_) | None => self.roll(kind, number % 1000),
        };
        self.struck += u64::from(trouble.is_some());
        trouble
    }

    fn roll(&self, kind: Kind, mut number: u64) -> Option<Trouble> {
        for (trouble, rate) in self.rates.get(&kind)? {
            if number < *rate {
                return Some(trouble.clone());
            }
            number -= rate;
        }
        None
    }
}

impl Theme {
    fn weight(self, trouble: &Trouble) -> u64 {
        let says = |words: &str| matches!(trouble, Trouble::Fault(Fault::Refuse { body, .. }) if body.contains(words));
        let is_loss = matches!(trouble, Trouble::Fault(Fault::LoseAnswer { .. }));
        match self {
            Self::Disputes if says("conflict") || says("Missing") => 12,
            Self::Disputes if *trouble == Trouble::FalseSpender => 6,
            Self::Verdicts if says(" 64: ") || says(" 16: ") => 10,
            Self::Verdicts if is_loss => 4,
            Self::None | Self::Disputes | Self::Verdicts => 1,
        }
    }
}

/// Everything that can go wrong, with how often it does in a thousand on a rough day.
fn menu(invents_verdicts: bool) -> Vec<(Kind, Trouble, u64)> {
    use Trouble::{
        Denied, FalseSpender, ForgedHeader, InventedOutputs, Late, RateLimited, Refused,
        Unreachable, Untrustworthy, WrongSignature,
    };
    let fault = Trouble::Fault;
    let loss = Loss::ConnectionClosed;
    let mut menu = vec![
        (Kind::Broadcast, fault(Fault::DropRequest { loss }), 60),
        (Kind::Broadcast, fault(Fault::LoseAnswer { loss: Loss::GatewayTimeout }), 90),
        (Kind::Broadcast, fault(Fault::DeliverTwice), 40),
        (Kind::Broadcast, fault(Fault::WrongTxid), 15),
        (Kind::Broadcast, fault(Fault::Html), 10),
        (Kind::Broadcast, fault(Fault::ErrorInside), 10),
        (Kind::Broadcast, Late, 50),
        (Kind::Status, Unreachable, 60),
        (Kind::Status, RateLimited, 20),
        (Kind::Status, fault(Fault::ForgeStatus), 60),
        (Kind::Status, fault(Fault::EmptyList), 20),
        (Kind::Status, fault(Fault::Lag { blocks: 2 }), 60),
        (Kind::Proof, Unreachable, 50),
        (Kind::Proof, fault(Fault::ForgeProof), 80),
        (Kind::Proof, fault(Fault::Lag { blocks: 1 }), 40),
        (Kind::Proof, Denied, 30),
        (Kind::Header, Unreachable, 40),
        (Kind::Header, fault(Fault::Lag { blocks: 1 }), 40),
        (Kind::Header, fault(Fault::Lag { blocks: 3 }), 30),
        (Kind::Header, ForgedHeader, 30),
        (Kind::Unspent, Unreachable, 60),
        (Kind::Unspent, fault(Fault::EmptyList), 60),
        (Kind::Unspent, fault(Fault::Lag { blocks: 1 }), 60),
        (Kind::Unspent, fault(Fault::Lag { blocks: 4 }), 60),
        (Kind::Unspent, InventedOutputs, 60),
        (Kind::Spend, Unreachable, 60),
        (Kind::Spend, FalseSpender, 60),
        (Kind::Spend, Denied, 40),
        (Kind::Spend, fault(Fault::Lag { blocks: 2 }), 40),
        (Kind::Transaction, Unreachable, 60),
        (Kind::Transaction, Denied, 40),
        (Kind::Sign, Unreachable, 60),
        (Kind::Sign, Refused, 25),
        (Kind::Sign, Untrustworthy, 25),
        (Kind::Sign, WrongSignature, 25),
    ];
    for (status, body) in RECORDED_REFUSALS {
        let is_verdict = body.contains("64: ") || body.contains("16: ");
        if !is_verdict || invents_verdicts {
            let refusal = Fault::Refuse { status, body: body.to_owned() };
            menu.push((Kind::Broadcast, fault(refusal), if is_verdict { 40 } else { 12 }));
        }
    }
    if !invents_verdicts {
        menu.push((Kind::Status, Denied, 60));
    }
    menu
}
