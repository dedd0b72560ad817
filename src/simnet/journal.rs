//! The journal: every command that changed the node, appended to a file and carried out again at
//! the next start, with full validation.
//!
//! Each entry is handed to the operating system in one write before the next command, so it
//! survives the death of the process; an entry that was cut off by it is dropped. There is no
//! fsync: a simulated chain need not survive the loss of power.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::crypto::sha256;
use crate::simnet::{Command, Node, Policy, ReplayError};
use crate::types::Timestamp;

/// Magic and the time of the first block.
const HEADER_SIZE: usize = 16;
const MAGIC: [u8; 8] = *b"PPSIMNT1";
const LENGTH_SIZE: usize = 4;
const CHECKSUM_SIZE: usize = 4;

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("the journal of the simulated chain {path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the journal of the simulated chain {0} is in use by another process")]
    Locked(PathBuf),
    /// The file is something else.
    #[error("{0} is not a journal of a simulated chain")]
    NotAJournal(PathBuf),
    /// An entry before the last is damaged.
    #[error("the journal of the simulated chain is damaged at byte {offset}")]
    Damaged {
        /// Where the entry begins.
        offset: usize,
    },
    /// An entry cannot be carried out.
    #[error("entry {entry} of the journal of the simulated chain cannot be carried out again")]
    Replay {
        /// Its place, from 0.
        entry: usize,
        /// Why.
        #[source]
        source: ReplayError,
    },
}

/// Opens the journal at `path`, or begins one, and returns a node that stands where it ends and
/// writes to it from now on. `genesis_time` counts for a new journal only.
pub fn open_journal(
    path: &Path,
    policy: Policy,
    genesis_time: Timestamp,
) -> Result<Node, JournalError> {
    let io_error = |source| JournalError::Io { path: path.to_owned(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io_error)?;
    file.try_lock().map_err(|_| JournalError::Locked(path.to_owned()))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io_error)?;
    let genesis_time = match read_header(&bytes) {
        Header::Time(time) => time,
        Header::Missing => {
            bytes = [&MAGIC[..], &genesis_time.as_millis().to_le_bytes()].concat();
            file.set_len(0).map_err(io_error)?;
            write_at_end(&mut file, &bytes).map_err(io_error)?;
            genesis_time
        }
        Header::Foreign => return Err(JournalError::NotAJournal(path.to_owned())),
    };
    let (commands, whole) = read_commands(&bytes)?;
    let mut node = Node::new(policy, genesis_time);
    for (entry, command) in commands.iter().enumerate() {
        node.replay(command).map_err(|source| JournalError::Replay { entry, source })?;
    }
    file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).map_err(io_error)?;
    node.record_to(recorder(file));
    Ok(node)
}

/// Returns a recorder that appends to `file`. After a failed write it writes no more: an entry
/// after a gap could not be carried out.
fn recorder(file: File) -> Box<dyn FnMut(&Command) + Send> {
    let mut open = Some(file);
    Box::new(move |command| {
        let Some(file) = &mut open else { return };
        if let Err(error) = write_at_end(file, &encode(command)) {
            tracing::error!(%error, "the simulated chain is no longer recorded");
            open = None;
        }
    })
}

fn write_at_end(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    io::Seek::seek(file, io::SeekFrom::End(0))?;
    file.write_all(bytes)
}

enum Header {
    Time(Timestamp),
    Missing,
    Foreign,
}

fn read_header(bytes: &[u8]) -> Header {
    if let Some((header, _)) = bytes.split_first_chunk::<HEADER_SIZE>() {
        let (magic, time) = header.split_at(MAGIC.len());
        return match time.try_into() {
            Ok(time) if magic == MAGIC => {
                Header::Time(Timestamp::from_millis(i64::from_le_bytes(time)))
            }
            Ok(_) | Err(_) => Header::Foreign,
        };
    }
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if MAGIC.starts_with(magic) { Header::Missing } else { Header::Foreign }
}

/// Returns the entry of a command: length, command, checksum.
fn encode(command: &Command) -> Vec<u8> {
    let payload = postcard::to_stdvec(command).expect("a command is plain data");
    let length = u32::try_from(payload.len()).expect("a command is far below 4 GiB");
    let mut entry = Vec::with_capacity(LENGTH_SIZE + payload.len() + CHECKSUM_SIZE);
    entry.extend_from_slice(&length.to_le_bytes());
    entry.extend_from_slice(&payload);
    entry.extend_from_slice(&sha256(&payload)[..CHECKSUM_SIZE]);
    entry
}

/// Returns all whole entries and where the last of them ends.
fn read_commands(bytes: &[u8]) -> Result<(Vec<Command>, usize), JournalError> {
    let mut commands = Vec::new();
    let mut offset = HEADER_SIZE;
    while let Some((entry, rest)) = split_entry(&bytes[offset..]) {
        match decode(entry) {
            Some(command) => commands.push(command),
            // Cut off in the middle of being written.
            None if rest.is_empty() => break,
            None => return Err(JournalError::Damaged { offset }),
        }
        offset = bytes.len() - rest.len();
    }
    Ok((commands, offset))
}

/// Splits one entry without its length off the front, if it is all there.
fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_SIZE>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length.checked_add(CHECKSUM_SIZE)?)
}

fn decode(entry: &[u8]) -> Option<Command> {
    let (payload, checksum) = entry.split_last_chunk::<CHECKSUM_SIZE>()?;
    if sha256(payload)[..CHECKSUM_SIZE] != *checksum {
        return None;
    }
    postcard::from_bytes(payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simnet::scenario::{NOW, address, policy};
    use crate::simnet::{Filling, Reorganisation};
    use crate::types::Satoshis;

    fn open(path: &Path) -> Result<Node, JournalError> {
        open_journal(path, policy(), NOW)
    }

    fn busy(node: &mut Node) {
        let pay = |node: &mut Node| node.faucet(&address(1), Satoshis::from_const(5_000), 3);
        pay(node).unwrap();
        node.mine(NOW);
        let evicted = pay(node).unwrap();
        node.mine_block(NOW, Filling::Nothing);
        node.drop_from_mempool(&evicted);
        node.reorganise(&Reorganisation::of_depth(2), NOW).unwrap();
        pay(node).unwrap();
    }

    fn picture(node: &Node) -> (crate::types::BlockHash, Vec<crate::types::Txid>, usize) {
        (node.tip().hash(), node.mempool_txids(), node.coins().len())
    }

    #[test]
    fn a_node_stands_where_it_stood_after_every_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.journal");
        let mut node = open(&path).unwrap();
        for _ in 0..3 {
            busy(&mut node);
            let before = (picture(&node), node.accepted().to_vec());
            drop(node);
            node = open(&path).unwrap();
            assert_eq!((picture(&node), node.accepted().to_vec()), before);
        }
    }

    #[test]
    fn a_second_process_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.journal");
        let node = open(&path).unwrap();
        assert!(matches!(open(&path), Err(JournalError::Locked(_))));
        drop(node);
        assert!(open(&path).is_ok());
    }

    #[test]
    fn a_journal_cut_at_any_byte_opens_with_the_whole_entries_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.journal");
        let mut node = open(&path).unwrap();
        let mut ends = vec![(HEADER_SIZE, picture(&node))];
        for _ in 0..3 {
            node.mine(NOW);
            let length = usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap();
            ends.push((length, picture(&node)));
        }
        drop(node);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut node = open(&path).unwrap();
            let expected = ends.iter().rev().find(|(end, _)| *end <= length).unwrap_or(&ends[0]);
            assert_eq!(picture(&node), expected.1, "cut at {length}");
            let tip = node.mine(NOW);
            drop(node);
            assert_eq!(open(&path).unwrap().tip().hash(), tip, "goes on after a cut at {length}");
        }
    }

    #[test]
    fn damage_and_foreign_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.journal");
        let mut node = open(&path).unwrap();
        node.mine(NOW);
        node.mine(NOW);
        drop(node);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[HEADER_SIZE + LENGTH_SIZE + 3] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(open(&path), Err(JournalError::Damaged { offset: HEADER_SIZE })));
        for foreign in [&b"notes"[..], b"a longer file of something else"] {
            std::fs::write(&path, foreign).unwrap();
            assert!(matches!(open(&path), Err(JournalError::NotAJournal(_))));
            assert_eq!(std::fs::read(&path).unwrap(), foreign, "left alone");
        }
    }
}
