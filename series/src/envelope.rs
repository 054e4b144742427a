//! The outside of what is stored as one piece: what it is, the version of its form, and a sum over everything.
//!
//! ```text
//! three letters  version: byte
//! { content }
//! CRC-32 of all before, little endian
//! ```

use crate::{Corrupt, bytes::Reader};

/// One kind of stored pieces.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    /// For people who read an error.
    pub what: &'static str,
    pub magic: [u8; 3],
    /// The oldest version that is read.
    pub oldest: u8,
    /// The version that is written, and the newest that is read.
    pub version: u8,
}

impl Envelope {
    /// The beginning of a piece; the content is put behind it.
    pub fn begin(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.push(self.version);
        out
    }

    /// The whole piece, when all content is there.
    pub fn end(mut out: Vec<u8>) -> Vec<u8> {
        out.extend(crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// The content of a piece.
    ///
    /// # Errors
    /// When the bytes changed, are of another kind, or a newer version wrote them.
    pub fn open<'a>(&self, bytes: &'a [u8]) -> Result<Reader<'a>, Corrupt> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(self.damaged("it is cut"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(self.damaged("its check sum is wrong"));
        }
        let mut reader = Reader(body);
        if reader.take(self.magic.len()) != Some(&self.magic) {
            return Err(self.damaged("it does not begin like one"));
        }
        match reader.byte() {
            Some(version) if (self.oldest..=self.version).contains(&version) => Ok(reader),
            Some(version) if version > self.version => Err(Corrupt::Newer { what: self.what, version }),
            _ => Err(self.damaged("it has no version")),
        }
    }

    /// Why a piece cannot be read.
    pub fn damaged(&self, why: &'static str) -> Corrupt {
        Corrupt::Damaged { what: self.what, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARCEL: Envelope = Envelope { what: "parcel", magic: *b"prc", oldest: 2, version: 3 };

    fn parcel(head: &[u8]) -> Vec<u8> {
        Envelope::end([head, b"content"].concat())
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let mut piece = PARCEL.begin();
        piece.extend(b"content");
        let piece = Envelope::end(piece);
        assert_eq!(piece, parcel(b"prc\x03"));
        assert_eq!(PARCEL.open(&piece).expect("whole").0, b"content");
        for at in 0..piece.len() {
            let mut changed = piece.clone();
            changed[at] ^= 1;
            assert!(PARCEL.open(&changed).is_err(), "byte {at}");
            assert!(PARCEL.open(&piece[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn other_pieces_are_told_apart() {
        let said = |head: &[u8]| PARCEL.open(&parcel(head)).err().map(|error| error.to_string());
        assert!(said(b"sxg\x02").is_some_and(|said| said.contains("does not begin like one")));
        assert!(said(b"prc\x01").is_some_and(|said| said.contains("no version")));
        assert_eq!(said(b"prc\x02"), None, "it is still read");
        assert_eq!(said(b"prc\x04"), Some(Corrupt::Newer { what: "parcel", version: 4 }.to_string()));
    }
}
