//! Power cuts: of what was written and not synced any part may be on the disk afterwards, sector by
//! sector and sectors torn, and yet what was answered is there.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use patchproof::storage::{Store, StoreError, StoreOptions, WriteTx, contents};
use patchproof::types::{OutPoint, RecordId, Satoshis, Txid};
use patchproof::wallet::utxo::{OutputPurpose, Utxo, UtxoState};
use redb::StorageBackend;

use crate::{HeldWriter, NOW, assert_indexes_hold, content, queue};

const CYCLES: u64 = 300;
const SECTOR: usize = 512;

/// A small generator whose whole course follows from its seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % end
    }
}

enum Unsynced {
    Sector(usize, Vec<u8>),
    Length(usize),
}

#[derive(Default)]
struct Platters {
    /// What survives any cut.
    synced: Vec<u8>,
    /// What is read while there is power.
    current: Vec<u8>,
    unsynced: Vec<Unsynced>,
    /// Operations until the power fails; none while it does not.
    fuse: Option<u64>,
    is_off: bool,
    /// Counts the times the power came back: handles of before stay dead.
    life: u64,
    /// The disk claims to have synced without having done so, once in so many times.
    lies_one_in: Option<u64>,
    syncs: u64,
}

impl Platters {
    fn burn(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.fuse {
            *left = left.saturating_sub(1);
            self.is_off |= *left == 0;
        }
        if self.is_off { Err(io::Error::other("no power")) } else { Ok(()) }
    }

    fn apply(to: &mut Vec<u8>, change: &Unsynced, length: usize) {
        match change {
            Unsynced::Length(length) => to.resize(*length, 0),
            // A sector beyond the end of what is there never got its place on the disk.
            Unsynced::Sector(at, bytes) if at + length <= to.len() => {
                to[*at..at + length].copy_from_slice(&bytes[..length]);
            }
            Unsynced::Sector(..) => {}
        }
    }

    /// Loses the power: each change since the last sync is there, or not, or in part.
    fn cut(&mut self, dice: &mut Dice) {
        let luck = dice.below(4);
        for change in std::mem::take(&mut self.unsynced) {
            let size = match &change {
                Unsynced::Sector(_, bytes) => bytes.len(),
                Unsynced::Length(_) => 0,
            };
            let is_kept = match luck {
                0 => false,
                1 => true,
                _ => dice.below(2) == 0,
            };
            let is_torn = size > 0 && dice.below(8) == 0;
            let torn_at = usize::try_from(dice.below(SECTOR as u64)).unwrap().min(size);
            if is_kept || is_torn {
                Self::apply(&mut self.synced, &change, if is_torn { torn_at } else { size });
            }
        }
        self.current = self.synced.clone();
        self.is_off = false;
        self.fuse = None;
        self.life += 1;
    }
}

/// A disk that survives the stores on it.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Platters>>);

impl Disk {
    fn platters(&self) -> MutexGuard<'_, Platters> {
        self.0.lock().unwrap()
    }

    fn options(&self) -> StoreOptions {
        let disk = self.clone();
        StoreOptions::on_backend(move || {
            let life = disk.platters().life;
            Ok(Box::new(Handle { disk: disk.clone(), life }))
        })
        // A small cache makes redb write in the middle of transactions too.
        .with_cache_bytes(64 * 1024)
    }
}

struct Handle {
    disk: Disk,
    life: u64,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("disk")
    }
}

impl Handle {
    fn powered(&self) -> io::Result<MutexGuard<'_, Platters>> {
        let platters = self.disk.platters();
        if platters.is_off || platters.life != self.life {
            return Err(io::Error::other("no power"));
        }
        Ok(platters)
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.powered()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platters = self.powered()?;
        let from = usize::try_from(offset).unwrap();
        let bytes = platters.current.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platters = self.powered()?;
        platters.burn()?;
        let length = usize::try_from(len).unwrap();
        platters.current.resize(length, 0);
        platters.unsynced.push(Unsynced::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platters = self.powered()?;
        platters.burn()?;
        let platters = &mut *platters;
        platters.syncs += 1;
        if platters.lies_one_in.is_some_and(|times| platters.syncs.is_multiple_of(times)) {
            return Ok(());
        }
        for change in platters.unsynced.drain(..) {
            let size = match &change {
                Unsynced::Sector(_, bytes) => bytes.len(),
                Unsynced::Length(_) => 0,
            };
            Platters::apply(&mut platters.synced, &change, size);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platters = self.powered()?;
        let mut at = usize::try_from(offset).unwrap();
        let mut rest = data;
        while !rest.is_empty() {
            // The power may fail between two sectors of one write.
            platters.burn()?;
            let (sector, tail) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
            platters.current[at..at + sector.len()].copy_from_slice(sector);
            platters.unsynced.push(Unsynced::Sector(at, sector.to_vec()));
            (at, rest) = (at + sector.len(), tail);
        }
        Ok(())
    }
}

/// What write number `number` stores: a row that stays, rows that change, and a line of the trail.
fn operation(tx: &mut WriteTx<'_>, number: u64) -> Result<(), StoreError> {
    tx.put_content(&format!("uid-{number}"), &content(usize::try_from(number % 1500).unwrap()))?;
    let mut txid = [0; 32];
    txid[0] = u8::try_from(number % 23).unwrap();
    let state = match number % 4 {
        0 => UtxoState::Unconfirmed,
        1 => UtxoState::Available,
        2 => UtxoState::Locked { by: RecordId::from_bytes([txid[0]; 16]) },
        _ => UtxoState::Spent { by: Txid::from_bytes([1; 32]) },
    };
    tx.put_utxo(&Utxo {
        outpoint: OutPoint::new(Txid::from_bytes(txid), 0),
        value: Satoshis::new(number).unwrap(),
        key_identifier: "funding".into(),
        key_hash: [1; 20],
        purpose: OutputPurpose::Pool,
        state,
        height: None,
        chain_depth: 0,
    })?;
    tx.append_audit(NOW, "test", "write", &number.to_string())
}

/// Writes until the power fails and returns the numbers that were answered.
async fn write_until_dark(store: &Store, next: &mut u64, dice: &mut Dice) -> Vec<u64> {
    let mut answered = Vec::new();
    loop {
        let group = 1 + dice.below(6);
        let numbers: Vec<u64> = (*next..*next + group).collect();
        *next += group;
        // One group each time, so that the whole course follows from the seed.
        let Some(held) = HeldWriter::try_hold(store).await else { return answered };
        let mut pending = Vec::new();
        for number in numbers.iter().copied() {
            pending.push(queue(store, move |tx| operation(tx, number)).await);
        }
        // redb writes ahead where it can, so the power may fail under what only holds the writer.
        let was_held = held.try_let_go().await;
        let answers = futures_util::future::join_all(pending).await;
        let is_dark = was_held.is_err() || answers.iter().any(Result::is_err);
        let done = numbers.into_iter().zip(answers).filter(|(_, answer)| answer.is_ok());
        answered.extend(done.map(|(number, _)| number));
        if is_dark {
            return answered;
        }
    }
}

/// Opens the store; every other time the power fails again before that is done.
fn open(disk: &Disk, dice: &mut Dice) -> Result<Store, StoreError> {
    while dice.below(2) == 0 {
        disk.platters().fuse = Some(1 + dice.below(60));
        match Store::open(disk.options()) {
            Ok(store) if !disk.platters().is_off => {
                disk.platters().fuse = None;
                return Ok(store);
            }
            Ok(_) | Err(_) => disk.platters().cut(dice),
        }
    }
    Store::open(disk.options())
}

/// Cuts the power `cycles` times and returns what was answered, or what went wrong.
async fn endure(disk: &Disk, cycles: u64) -> Result<Vec<u64>, String> {
    let (mut next, mut answered) = (1, Vec::new());
    for cycle in 1..=cycles {
        let mut dice = Dice::new(cycle);
        let store = open(disk, &mut dice).map_err(|error| format!("cycle {cycle}: {error}"))?;
        let lost = store
            .read(|tx| {
                let is_there = |number: &u64| -> Result<bool, StoreError> {
                    let size = usize::try_from(number % 1500).unwrap();
                    let found = contents::content(tx, &format!("uid-{number}"))?;
                    Ok(found == Some(content(size)))
                };
                answered.iter().map(is_there).collect::<Result<Vec<bool>, StoreError>>()
            })
            .map_err(|error| format!("cycle {cycle}: {error}"))?
            .into_iter()
            .position(|is_there| !is_there);
        if let Some(place) = lost {
            return Err(format!("cycle {cycle}: write {} is gone", answered[place]));
        }
        assert_indexes_hold(&store);
        disk.platters().fuse = Some(1 + dice.below(900));
        answered.extend(write_until_dark(&store, &mut next, &mut dice).await);
        drop(store);
        disk.platters().cut(&mut dice);
    }
    Ok(answered)
}

#[tokio::test]
async fn what_was_answered_survives_power_cuts() {
    let disk = Disk::default();
    let answered = endure(&disk, CYCLES).await.unwrap();
    assert!(answered.len() > 800, "{} writes were answered", answered.len());
}

/// The test of the test above: it must see what it is there to see.
#[test]
fn a_disk_that_lies_about_syncing_is_found_out() {
    let is_found_out = |times: u64| {
        let disk = Disk::default();
        disk.platters().lies_one_in = Some(times);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let endured = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(endure(&disk, 60))
        }));
        !matches!(endured, Ok(Ok(_)))
    };
    // An even rhythm would lie about the same one of a commit's two syncs every time.
    assert!([3, 5, 7].into_iter().all(is_found_out));
}
