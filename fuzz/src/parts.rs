//! Cutting the fuzzer's bytes into the parts that a target needs. Plain, so that seeds can be written by hand.

/// The text before the first line end and the bytes after it. What is no UTF-8 becomes U+FFFD.
pub fn line(data: &[u8]) -> (String, &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = at.map_or((data, &[][..]), |at| (&data[..at], &data[at + 1..]));
    (String::from_utf8_lossy(line).into_owned(), rest)
}

/// The first byte, 0 when there is none, and the rest.
pub fn byte(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// The first `N` bytes, padded with 0, and the rest.
pub fn bytes<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    let (head, rest) = data.split_at(data.len().min(N));
    let mut all = [0; N];
    all[..head.len()].copy_from_slice(head);
    (all, rest)
}
