//! What happens in a run: the scheduler and the world's own doings.

use patchproof::anchor::payload::Payload;
use patchproof::bitcoin::Address;
use patchproof::service::funding::FundingError;
use patchproof::simnet::{Filling, Node, Reorganisation, ScriptHash};
use patchproof::types::{Clock, OutPoint, Satoshis, Txid};

use crate::gates::Work;
use crate::random::Random;
use crate::spending::foreign_spend;
use crate::stage::{InHand, Stage, Task, Verdict, Violation};

/// One thing that may happen, with its weight among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Register,
    RegisterAgain,
    Transfer,
    Compete,
    TransferWrongly,
    Retry,
    AbortRequest,
    FormBatch,
    DoDueWork,
    Resume,
    ChainRound,
    Mine,
    Reorganise,
    Evict,
    Fund,
    Sync,
    SpendOutside,
    Clock,
    Crash,
    StorageFull,
    Weather,
    DeliverLate,
    FeePolicy,
    Recover,
    Maintain,
}

const WEIGHTS: [(Action, u64); 25] = [
    (Action::Register, 12),
    (Action::RegisterAgain, 2),
    (Action::Transfer, 12),
    (Action::Compete, 3),
    (Action::TransferWrongly, 4),
    (Action::Retry, 4),
    (Action::AbortRequest, 2),
    (Action::FormBatch, 7),
    (Action::DoDueWork, 34),
    (Action::Resume, 8),
    (Action::ChainRound, 14),
    (Action::Mine, 12),
    (Action::Reorganise, 3),
    (Action::Evict, 3),
    (Action::Fund, 3),
    (Action::Sync, 3),
    (Action::SpendOutside, 2),
    (Action::Clock, 3),
    (Action::Crash, 3),
    (Action::StorageFull, 1),
    (Action::Weather, 3),
    (Action::DeliverLate, 4),
    (Action::FeePolicy, 1),
    (Action::Recover, 1),
    (Action::Maintain, 3),
];

impl Stage {
    /// Does one thing, chosen by the seed.
    pub(crate) async fn act(&mut self) -> Verdict {
        self.step += 1;
        self.net.weather().next_step();
        self.net.clock.advance_ms(i64::try_from(self.random.between(0, 3)).unwrap());
        if self.full_until.is_some_and(|until| until <= self.step) {
            self.switch.set_full(false);
            self.full_until = None;
            self.note("the disk has room again");
            self.settle().await;
            self.take_stock()?;
        }
        match choose(&mut self.random) {
            Action::Register => self.register().await,
            Action::RegisterAgain => self.register_again().await,
            Action::Transfer => self.transfer().await,
            Action::Compete => self.compete().await,
            Action::TransferWrongly => self.transfer_wrongly().await,
            Action::Retry => self.retry().await,
            Action::AbortRequest => self.abort_request().await,
            Action::FormBatch => self.form_some_batch().await,
            Action::DoDueWork => self.do_some_due_work().await,
            Action::Resume => self.resume_some().await,
            Action::ChainRound => self.follow().await,
            Action::Mine => self.mine(),
            Action::Reorganise => self.reorganise(),
            Action::Evict => self.evict(),
            Action::Fund => self.fund().await,
            Action::Sync => self.sync_some().await,
            Action::SpendOutside => self.spend_outside(),
            Action::Clock => self.set_clock(),
            Action::Crash => self.crash_now().await,
            Action::StorageFull => self.fill_storage(),
            Action::Weather => self.change_weather(),
            Action::DeliverLate => self.deliver_late(),
            Action::FeePolicy => self.change_fee(),
            Action::Recover => self.recover_held().await,
            Action::Maintain => self.maintain().await,
        }
    }

    async fn resume_some(&mut self) -> Verdict {
        if self.in_hand.is_empty() {
            return Ok(());
        }
        let index = self.random.index(self.in_hand.len());
        self.resume(index).await
    }

    async fn follow(&mut self) -> Verdict {
        // One hand follows the chain.
        if self.in_hand.iter().any(|held| held.task == Task::ChainRound) {
            return Ok(());
        }
        let closes_at = self.random.chance(250).then(|| self.random.between(1, 8));
        let round = self.chain_round(closes_at);
        self.note("the chain is followed");
        self.drive(round, "following the chain").await
    }

    pub(crate) fn mine(&mut self) -> Verdict {
        let now = self.net.clock.now();
        let waiting = self.net.node().mempool_len();
        let filling = if self.random.chance(150) { Filling::Nothing } else { Filling::Everything };
        self.net.node().mine_block(now, filling);
        self.note(format!("a block is mined: {filling:?} of {waiting}"));
        Ok(())
    }

    fn reorganise(&mut self) -> Verdict {
        let deep = self.random.chance(120);
        let depth = if deep { self.random.between(4, 9) } else { self.random.between(1, 3) };
        let depth = u32::try_from(depth).unwrap();
        if self.net.node().height() < depth + 12 {
            return Ok(());
        }
        let mut plan = Reorganisation::of_depth(depth);
        if self.random.chance(500) {
            plan.refill = Filling::Everything;
        }
        for txid in self.our_transactions() {
            if self.random.chance(300) {
                plan.drop.push(txid);
            }
        }
        if self.random.chance(150) {
            plan.replacements.extend(foreign_spend(self));
        }
        let now = self.net.clock.now();
        let outcome = self.net.node().reorganise(&plan, now);
        let dropped = outcome.as_ref().map_or(0, |done| done.dropped.len());
        if outcome.is_ok() {
            self.deepest_reorganisation = self.deepest_reorganisation.max(depth);
        }
        self.note(format!("a reorganisation of depth {depth} drops {dropped}"));
        Ok(())
    }

    /// Returns transactions of the system that the network has taken, in the order of acceptance.
    pub(crate) fn our_transactions(&self) -> Vec<Txid> {
        let node = self.net.node();
        node.accepted().iter().filter(|txid| self.is_ours(&node, txid)).copied().collect()
    }

    /// Says whether a transaction carries a record.
    pub(crate) fn is_ours(&self, node: &Node, txid: &Txid) -> bool {
        let outputs = node.transaction(txid).into_iter().flat_map(|it| &it.transaction().outputs);
        outputs.map(|output| Payload::from_script(&output.locking_script)).any(|it| it.is_some())
    }

    fn evict(&mut self) -> Verdict {
        let ours = self.our_transactions();
        let waiting: Vec<Txid> = self.net.node().mempool_txids();
        let candidates: Vec<Txid> =
            waiting.into_iter().filter(|txid| ours.contains(txid)).collect();
        let Some(victim) = self.random.pick(&candidates).copied() else { return Ok(()) };
        let gone = self.net.node().drop_from_mempool(&victim).len();
        self.note(format!("{gone} transactions are evicted"));
        Ok(())
    }

    /// Pays the pool, and mines the payment.
    pub(crate) async fn fund(&mut self) -> Verdict {
        let count = self.random.between(1, 6);
        let is_small = self.random.chance(100);
        for _ in 0..count {
            // Amounts that differ, so that none is chosen for its random identifier.
            let amount =
                if is_small { self.random.between(1, 60) } else { self.random.between(400, 4_000) };
            self.pay_pool(u32::try_from(amount).unwrap(), 1);
        }
        if self.random.chance(800) {
            let now = self.net.clock.now();
            self.net.node().mine(now);
        }
        self.note(format!("the pool is paid {count} outputs"));
        self.sync_some().await
    }

    /// Has the faucet pay the funding address.
    pub(crate) fn pay_pool(&mut self, satoshis: u32, count: u32) {
        let address: Address = self.system().keyring.funding.address;
        let paid = self.net.node().faucet(&address, Satoshis::from_const(satoshis), count);
        // A raised fee or a long chain of the faucet's own payments may stand in the way.
        drop(paid);
    }

    async fn sync_some(&mut self) -> Verdict {
        let closes_at = self.random.chance(200).then(|| self.random.between(1, 4));
        self.sync(closes_at).await
    }

    /// Takes in what the network lists for the pool's keys.
    pub(crate) async fn sync(&mut self, closes_at: Option<u64>) -> Verdict {
        let (service, now) = (self.system().funding.clone(), self.net.clock.tick());
        let work = Work::new(closes_at, async move {
            match service.sync("operator", now).await {
                Err(FundingError::Store(error)) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            }
        });
        self.note("the pool is synchronised");
        self.drive(InHand { task: Task::Sync, work }, "a sync").await
    }

    /// Somebody else spends an output of the pool with its own key.
    fn spend_outside(&mut self) -> Verdict {
        let Some(raw) = foreign_spend(self) else { return Ok(()) };
        let taken = self.net.node().submit(&raw);
        self.note(format!("the funding key is used outside: {}", taken.is_ok()));
        Ok(())
    }

    fn set_clock(&mut self) -> Verdict {
        let millis: i64 = match self.random.below(4) {
            0 => 3_600_000,
            1 => -86_400_000,
            _ => 20,
        };
        self.net.clock.advance_ms(millis);
        self.note(format!("the clock jumps by {millis} ms"));
        Ok(())
    }

    async fn crash_now(&mut self) -> Verdict {
        self.note(format!("a crash with {} pieces of work in hand", self.in_hand.len()));
        self.crash().await;
        self.take_stock()
    }

    fn fill_storage(&mut self) -> Verdict {
        self.switch.set_full(true);
        self.full_until = Some(self.step + self.random.between(1, 6));
        self.note("the disk is full");
        Ok(())
    }

    fn change_weather(&mut self) -> Verdict {
        let mut random = Random::new(self.random.next());
        self.net.weather().change(&mut random);
        self.note("the weather changes");
        Ok(())
    }

    fn deliver_late(&mut self) -> Verdict {
        let count = self.net.traffic().late.len();
        self.net.deliver_late();
        self.note(format!("{count} late requests arrive"));
        Ok(())
    }

    fn change_fee(&mut self) -> Verdict {
        let fee = self.random.chance(500).then(|| self.random.between(200, 900));
        self.net.set_min_fee(fee);
        self.note(format!("the network asks for {fee:?} sat/kB"));
        Ok(())
    }

    /// Returns the unspent outputs that pay the pool, as the network knows them.
    pub(crate) fn pool_on_network(&self) -> Vec<(OutPoint, Satoshis)> {
        let node = self.net.node();
        let mut found = Vec::new();
        for key in self.system().keyring.payment_keys() {
            let hash = ScriptHash::of(&key.address.locking_script());
            let view = patchproof::simnet::View::new(&node, 0);
            let unspent = view.unspent(&hash).into_iter();
            found.extend(
                unspent.filter(|it| !it.spent_in_mempool).map(|it| (it.outpoint, it.value)),
            );
        }
        found.sort_by_key(|(_, value)| *value);
        found
    }
}

fn choose(random: &mut Random) -> Action {
    let total: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut number = random.below(total);
    for (action, weight) in WEIGHTS {
        if number < weight {
            return action;
        }
        number -= weight;
    }
    unreachable!("the weights add up to their total")
}

/// Turns an unexpected failure of a tool of the run into a violation, which names it.
pub(crate) fn broken(what: &str, error: impl std::fmt::Debug) -> Violation {
    Violation(format!("{what}: {error:?}"))
}
