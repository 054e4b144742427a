//! Cuts a byte stream into lines of bounded length.

use bytes::{Buf, Bytes, BytesMut};

/// The longest line, bytes.
pub const LINE_MOST: usize = 4 << 20;

/// A line was longer than [`LINE_MOST`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a line is longer than {LINE_MOST} bytes: the address does not lead to a collector, or its assignment is too large"
)]
pub struct TooLong;

/// What has arrived and is not a whole line yet.
#[derive(Debug, Default)]
pub struct Lines {
    pending: BytesMut,
    /// How much of `pending` is known to hold no line end, so that a long line is searched once.
    searched: usize,
}

impl Lines {
    /// Takes what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        self.pending.extend_from_slice(chunk);
    }

    /// The next whole line without its line end; absent until more arrives.
    ///
    /// # Errors
    /// When the line is too long; the stream is of no use any more then.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, TooLong> {
        let end = self.pending[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.pending.len();
            return if self.searched > LINE_MOST { Err(TooLong) } else { Ok(None) };
        };
        self.searched = 0;
        if end > LINE_MOST {
            return Err(TooLong);
        }
        let line = self.pending.split_to(end).freeze();
        self.pending.advance(1);
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_come_out_whole_however_they_arrive(text in "[a-c\n]{0,60}", cut in 1usize..9) {
            let (mut lines, mut seen) = (Lines::default(), Vec::new());
            for chunk in text.as_bytes().chunks(cut) {
                lines.push(chunk);
                while let Some(line) = lines.next_line().expect("short lines") {
                    seen.push(String::from_utf8(line.to_vec()).expect("ASCII"));
                }
            }
            let mut expected: Vec<&str> = text.split('\n').collect();
            expected.pop();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LINE_MOST]);
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"x");
        assert_eq!(lines.next_line(), Err(TooLong));
    }
}
