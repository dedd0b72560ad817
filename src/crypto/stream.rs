//! Authenticated encryption of streams: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar,
//! Rogaway, Vizár 2015): chunks of 64 KiB, a nonce of 7 bytes, a counter of 4, and a byte that marks the
//! last chunk. Chunks that are missing, added, exchanged or changed do not open.

use std::io::{self, Read, Write};

use aead_stream::{DecryptorBE32, EncryptorBE32};
use aes_gcm::Aes256Gcm;
use zeroize::Zeroizing;

/// Bytes of plaintext in every chunk but the last.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// A chunk that does not open, numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is damaged or cut off in its part {chunk}")]
pub struct StreamDamage {
    /// Which one.
    pub chunk: u32,
}

/// Encrypts what is written to it; nothing opens that was not [`finished`](Self::finish).
pub struct SealingWriter<W: Write> {
    sink: W,
    cipher: EncryptorBE32<Aes256Gcm>,
    chunk: Vec<u8>,
}

impl<W: Write> SealingWriter<W> {
    /// Begins a stream. A pair of key and nonce must never be used again.
    pub fn new(sink: W, key: &Zeroizing<[u8; 32]>, nonce: &[u8; 7]) -> Self {
        let cipher = EncryptorBE32::new(&(**key).into(), &(*nonce).into());
        Self { sink, cipher, chunk: Vec::with_capacity(CHUNK + TAG) }
    }

    /// Writes the last chunk and returns the sink.
    pub fn finish(mut self) -> io::Result<W> {
        self.cipher.encrypt_last_in_place(&[], &mut self.chunk).map_err(|_| too_long())?;
        self.sink.write_all(&self.chunk)?;
        Ok(self.sink)
    }
}

impl<W: Write> Write for SealingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk leaves only when more follows: it might be the last.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.cipher.encrypt_next_in_place(&[], &mut self.chunk).map_err(|_| too_long())?;
            self.sink.write_all(&self.chunk)?;
            self.chunk.clear();
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// What does not fill a chunk yet stays here.
    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Decrypts a stream; gives nothing out that was not authenticated, and ends only where the stream does.
pub struct OpeningReader<R: Read> {
    source: R,
    /// None once the last chunk is open.
    cipher: Option<DecryptorBE32<Aes256Gcm>>,
    number: u32,
    /// The bytes that follow the present chunk, to know whether it is the last.
    ahead: Vec<u8>,
    chunk: Vec<u8>,
    given: usize,
}

impl<R: Read> OpeningReader<R> {
    /// Begins to read a stream.
    pub fn new(source: R, key: &Zeroizing<[u8; 32]>, nonce: &[u8; 7]) -> Self {
        let cipher = Some(DecryptorBE32::new(&(**key).into(), &(*nonce).into()));
        let (ahead, chunk) = (Vec::new(), Vec::new());
        Self { source, cipher, number: 0, ahead, chunk, given: 0 }
    }

    fn open_next(&mut self) -> io::Result<()> {
        let Some(mut cipher) = self.cipher.take() else { return Ok(()) };
        let damage =
            |_| io::Error::new(io::ErrorKind::InvalidData, StreamDamage { chunk: self.number });
        let wanted = u64::try_from(CHUNK + TAG + 1).unwrap_or(u64::MAX);
        let missing = wanted.saturating_sub(u64::try_from(self.ahead.len()).unwrap_or(u64::MAX));
        let mut sealed = std::mem::take(&mut self.ahead);
        self.source.by_ref().take(missing).read_to_end(&mut sealed)?;
        if sealed.len() > CHUNK + TAG {
            self.ahead = sealed.split_off(CHUNK + TAG);
            cipher.decrypt_next_in_place(&[], &mut sealed).map_err(damage)?;
            self.cipher = Some(cipher);
        } else {
            cipher.decrypt_last_in_place(&[], &mut sealed).map_err(damage)?;
        }
        self.number = self.number.wrapping_add(1);
        (self.chunk, self.given) = (sealed, 0);
        Ok(())
    }
}

impl<R: Read> Read for OpeningReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.chunk.len() && self.cipher.is_some() {
            self.open_next()?;
        }
        let rest = &self.chunk[self.given..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a stream has at most 2^32 - 1 parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 7] = [3; 7];

    fn key() -> Zeroizing<[u8; 32]> {
        Zeroizing::new([7; 32])
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut writer = SealingWriter::new(Vec::new(), &key(), &NONCE);
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    fn opened(sealed: &[u8]) -> Result<Vec<u8>, StreamDamage> {
        let mut plain = Vec::new();
        let read = OpeningReader::new(sealed, &key(), &NONCE).read_to_end(&mut plain);
        match read {
            Ok(_) => Ok(plain),
            Err(error) => Err(*error.get_ref().unwrap().downcast_ref().unwrap()),
        }
    }

    #[test]
    fn streams_of_every_length_around_a_chunk_come_back() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17] {
            let plain: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            assert_eq!(opened(&sealed(&plain)), Ok(plain), "{length} bytes");
        }
    }

    #[test]
    fn what_is_cut_swapped_longer_or_changed_does_not_open() {
        let whole = sealed(&vec![1; 3 * CHUNK]);
        let part = CHUNK + TAG;
        for length in [0, 1, TAG, part - 1, part, part + 1, 2 * part, whole.len() - 1] {
            assert!(opened(&whole[..length]).is_err(), "{length} bytes of it");
        }
        let swapped = [&whole[part..2 * part], &whole[..part], &whole[2 * part..]].concat();
        assert_eq!(opened(&swapped), Err(StreamDamage { chunk: 0 }));
        assert!(opened(&[&whole[..], &[0]].concat()).is_err());
        assert!(opened(&[&whole[..], &whole[..]].concat()).is_err());
        for place in [0, part - 1, part, 2 * part + 5, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(opened(&changed).is_err(), "byte {place}");
        }
        let mut other = OpeningReader::new(&whole[..], &Zeroizing::new([8; 32]), &NONCE);
        assert!(other.read_to_end(&mut Vec::new()).is_err());
    }
}
