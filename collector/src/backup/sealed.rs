//! Encryption of an archive: AES-256-GCM in chunks, so that nobody without the key can read, change, shorten or reorder it.
//!
//! The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance, 2015), in the arrangement of the `age` format. A key for this file only is derived from the key and a
//! random salt (HKDF-SHA-256), so the nonces may be a plain count: 11 bytes of the chunk's number, big-endian, and 1 byte
//! that is 1 for the last chunk. Each chunk is [`CHUNK`] bytes and its tag; the last may be shorter. The first bytes of
//! the archive are authenticated with every chunk.

use super::{format::MAGIC, read::Corrupt};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use std::{
    fmt,
    io::{self, Read, Write},
};

/// Bytes of a chunk before encryption.
pub const CHUNK: usize = 64 << 10;
/// Bytes that encryption adds to a chunk.
pub const TAG: usize = 16;
/// Bytes of the salt.
pub const SALT: usize = 32;

/// What every key begins with.
const PREFIX: &str = "backup_";
/// What the derived key is for.
const PURPOSE: &[u8] = b"sextant backup 1";

/// The key of backups: 32 random bytes.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Reads `backup_` and the base64 of 32 bytes, as `sextant secret backup` writes it; absent when it is not that.
    pub fn parse(text: &str) -> Option<Key> {
        let bytes = STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?;
        Some(Key(bytes.try_into().ok()?))
    }

    /// Writes it as [`Key::parse`] reads it.
    pub fn text(bytes: [u8; 32]) -> String {
        format!("{PREFIX}{}", STANDARD.encode(bytes))
    }

    /// The cipher of the file with this salt.
    fn cipher(&self, salt: &[u8; SALT]) -> LessSafeKey {
        let derived = Salt::new(HKDF_SHA256, salt).extract(&self.0);
        let okm = derived.expand(&[PURPOSE], &AES_256_GCM).expect("a key is shorter than HKDF can make");
        LessSafeKey::new(UnboundKey::from(okm))
    }
}

/// The first bytes of an encrypted archive.
pub fn start(version: u8, salt: &[u8; SALT]) -> Vec<u8> {
    [&MAGIC[..], &[version, 1], salt].concat()
}

/// The nonces of a file, in order.
#[derive(Debug, Default)]
struct Count(u64);

impl Count {
    fn next(&mut self, last: bool) -> Nonce {
        let mut bytes = [0; 12];
        bytes[3..11].copy_from_slice(&self.0.to_be_bytes());
        bytes[11] = u8::from(last);
        // 2^64 chunks are more than any disk holds.
        self.0 += 1;
        Nonce::assume_unique_for_key(bytes)
    }
}

/// Encrypts what is written to it.
pub struct Sealer<W: Write> {
    out: W,
    cipher: LessSafeKey,
    start: Vec<u8>,
    count: Count,
    chunk: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// Writes the first bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(mut out: W, key: &Key, salt: &[u8; SALT]) -> io::Result<Self> {
        let start = start(super::format::VERSION, salt);
        out.write_all(&start)?;
        let chunk = Vec::with_capacity(CHUNK + TAG);
        Ok(Sealer { out, cipher: key.cipher(salt), start, count: Count::default(), chunk })
    }

    /// Writes the last chunk. Without it nobody takes the archive for whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.count.next(last);
        self.cipher
            .seal_in_place_append_tag(nonce, Aad::from(&self.start), &mut self.chunk)
            .map_err(|_| io::Error::other("a chunk could not be encrypted"))?;
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> fmt::Debug for Sealer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for what follows, because the last one is marked.
        if self.chunk.len() == CHUNK {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Chunks are whole; the rest follows with the end.
        Ok(())
    }
}

/// Decrypts what is read from it.
pub struct Opener<R: Read> {
    from: R,
    cipher: LessSafeKey,
    start: Vec<u8>,
    count: Count,
    /// Bytes that were read and not yet decrypted.
    sealed: Vec<u8>,
    /// Bytes that were decrypted, and how many of them were given out.
    open: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Opener<R> {
    /// Reads on behind the salt.
    pub fn new(from: R, key: &Key, version: u8, salt: &[u8; SALT]) -> Self {
        Opener {
            from,
            cipher: key.cipher(salt),
            start: start(version, salt),
            count: Count::default(),
            sealed: Vec::with_capacity(CHUNK + TAG + 1),
            open: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Decrypts the next chunk.
    fn fill(&mut self) -> io::Result<()> {
        // One byte more than a chunk: without it, this chunk is the last.
        let wanted = CHUNK + TAG + 1 - self.sealed.len();
        (&mut self.from).take(wanted as u64).read_to_end(&mut self.sealed)?;
        let last = self.sealed.len() <= CHUNK + TAG;
        let next = if last { None } else { self.sealed.pop() };
        let nonce = self.count.next(last);
        let open = self
            .cipher
            .open_in_place(nonce, Aad::from(&self.start), &mut self.sealed)
            .map_err(|_| io::Error::other(Corrupt::Key))?;
        self.open.clear();
        self.open.extend_from_slice(open);
        self.given = 0;
        self.sealed.clear();
        self.sealed.extend(next);
        self.ended = last;
        Ok(())
    }
}

impl<R: Read> fmt::Debug for Opener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.open.len() && !self.ended {
            self.fill()?;
        }
        let rest = &self.open[self.given..];
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.given += taken;
        Ok(taken)
    }
}
