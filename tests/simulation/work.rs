//! What the worker does: due records, some of them, in groups, sometimes stopped half way.

use patchproof::anchor::lifecycle::Stage as Step;
use patchproof::service::anchoring::DueWork;
use patchproof::storage::jobs::jobs_in_stage;
use patchproof::storage::{StageName, StoreError};
use patchproof::types::{Clock, RecordId};

use crate::actions::broken;
use crate::gates::Work;
use crate::stage::{InHand, Stage, Task, Verdict};

/// The most pieces of work in hand.
const MOST_IN_HAND: usize = 5;

enum Errand {
    Prepare(Vec<RecordId>),
    Submit(RecordId),
    Look(Vec<RecordId>),
}

impl Stage {
    /// Does a part of what is due.
    pub(crate) async fn do_some_due_work(&mut self) -> Verdict {
        let Some(work) = self.due_work()? else { return Ok(()) };
        for errand in self.choose_errands(work) {
            let stops = self.in_hand.len() < MOST_IN_HAND && self.random.chance(200);
            let closes_at = stops.then(|| self.random.between(1, 4));
            self.run_errand(errand, closes_at).await?;
        }
        Ok(())
    }

    /// Does everything that is due, to its end; says whether there was anything.
    pub(crate) async fn do_all_due_work(&mut self) -> Verdict<bool> {
        let Some(work) = self.due_work()? else { return Ok(false) };
        let is_any = work != DueWork::default();
        for group in work.prepare.chunks(16) {
            self.run_errand(Errand::Prepare(group.to_vec()), None).await?;
        }
        for id in work.submit {
            self.run_errand(Errand::Submit(id), None).await?;
        }
        for group in work.look.chunks(16) {
            self.run_errand(Errand::Look(group.to_vec()), None).await?;
        }
        Ok(is_any)
    }

    fn due_work(&mut self) -> Verdict<Option<DueWork>> {
        let now = self.net.clock.now();
        let found = self.system().anchoring.due_work(now, 256, |id| self.is_busy(id));
        let mut work = match found {
            Ok(work) => work,
            Err(error) => return self.judge_store(&error, "due work").map(|()| None),
        };
        let mut ids = work.prepare.iter().chain(&work.submit).chain(&work.look);
        if ids.any(|id| !self.model.places.contains_key(id)) {
            self.take_stock()?;
        }
        for ids in [&mut work.prepare, &mut work.submit, &mut work.look] {
            ids.sort_by_key(|id| self.model.place(*id));
        }
        Ok(Some(work))
    }

    fn choose_errands(&mut self, work: DueWork) -> Vec<Errand> {
        let mut errands = Vec::new();
        let mut keep = |ids: Vec<RecordId>| -> Vec<RecordId> {
            ids.into_iter().filter(|_| self.random.chance(750)).collect()
        };
        let (prepare, submit, look) = (keep(work.prepare), keep(work.submit), keep(work.look));
        let size = self.random.index(6) + 1;
        errands.extend(prepare.chunks(size).map(|group| Errand::Prepare(group.to_vec())));
        errands.extend(submit.into_iter().map(Errand::Submit));
        errands.extend(look.chunks(size).map(|group| Errand::Look(group.to_vec())));
        errands
    }

    async fn run_errand(&mut self, errand: Errand, closes_at: Option<u64>) -> Verdict {
        let (service, now) = (self.system().anchoring.clone(), self.net.clock.tick());
        let (what, ids) = match &errand {
            Errand::Prepare(ids) => ("preparing", ids.clone()),
            Errand::Submit(id) => ("submitting", vec![*id]),
            Errand::Look(ids) => ("looking for", ids.clone()),
        };
        let names: Vec<String> = ids.iter().map(|id| self.model.name(*id)).collect();
        let doing = format!("{what} {}", names.join(", "));
        self.note(doing.clone());
        let work = Work::new(closes_at, async move {
            match errand {
                Errand::Prepare(ids) => service.prepare(&ids, now).await,
                Errand::Submit(id) => service.submit(id, now).await,
                Errand::Look(ids) => service.look_due(&ids, now).await,
            }
        });
        self.drive(InHand { task: Task::Jobs(ids), work }, &doing).await
    }

    /// Does what an operator does about records that are held.
    pub(crate) async fn recover_held(&mut self) -> Verdict {
        if self.is_storage_full() {
            return Ok(());
        }
        let held = self
            .system()
            .store
            .read(|tx| jobs_in_stage(tx, StageName::Held, None, 1_000))
            .map_err(|error: StoreError| broken("held records", error))?;
        let mut held: Vec<RecordId> = held
            .into_iter()
            .filter(|job| matches!(job.stage, Step::Held { .. }) && !self.is_busy(job.id))
            .map(|job| job.id)
            .collect();
        held.sort_by_key(|id| self.model.place(*id));
        for id in held {
            let now = self.net.clock.tick();
            self.note(format!("{} is recovered", self.model.name(id)));
            self.note_recovered(id);
            if let Err(error) = self.system().anchoring.recover(id, "operator", now).await {
                self.judge_store(&error, "recovering")?;
            }
        }
        Ok(())
    }
}
