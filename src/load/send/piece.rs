//! Bodies that are packed before they are needed: a report is compressed alone, and a batch is put together from
//! packed reports by copying, as the probe's uplink puts one together from spooled ones.
//!
//! RFC 1951 lets compressed blocks follow each other, and a synchronising flush ends one at a whole byte. So a gzip
//! body (RFC 1952) is a header, a stored block with the beginning of the batch, the reports' blocks with stored commas
//! between them, a last stored block, and the checksum, which is combined from the parts'.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, FlushCompress, Status};
use wire::{Micros, report::Report};

/// A report, packed.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Whole deflate blocks, none of which is the last.
    blocks: Bytes,
    crc: crc32fast::Hasher,
    /// Of the JSON, bytes.
    pub plain_bytes: usize,
}

impl Piece {
    /// Packs a report, at the level that probes use.
    pub fn pack(report: &Report) -> anyhow::Result<Piece> {
        let json = serde_json::to_vec(report)?;
        let mut compress = Compress::new(Compression::fast(), false);
        let mut blocks = Vec::with_capacity(json.len() / 3 + 64);
        loop {
            let taken = usize::try_from(compress.total_in())?;
            let status = compress.compress_vec(&json[taken..], &mut blocks, FlushCompress::Sync)?;
            // With room left, everything is out.
            if usize::try_from(compress.total_in())? == json.len() && blocks.len() < blocks.capacity() {
                break;
            }
            anyhow::ensure!(status != Status::StreamEnd, "the compressor ended early");
            blocks.reserve(json.len() / 4 + 64);
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&json);
        Ok(Piece { blocks: Bytes::from(blocks), crc, plain_bytes: json.len() })
    }

    /// How much memory it takes, bytes.
    pub fn packed_bytes(&self) -> usize {
        self.blocks.len()
    }
}

/// The gzip body of a [`wire::report::Batch`].
pub fn join(sent: Micros, pieces: &[&Piece]) -> Bytes {
    let room: usize = pieces.iter().map(|piece| piece.packed_bytes() + 8).sum();
    let mut body =
        Body { bytes: BytesMut::with_capacity(room + 128), crc: crc32fast::Hasher::new(), plain_bytes: 0 };
    // No name, no time, system unknown.
    body.bytes.put_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    body.stored(format!("{{\"sent\":{},\"lost\":0,\"reports\":[", sent.0).as_bytes(), false);
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            body.stored(b",", false);
        }
        body.bytes.put_slice(&piece.blocks);
        body.crc.combine(&piece.crc);
        body.plain_bytes += piece.plain_bytes;
    }
    body.stored(b"]}", true);
    body.bytes.put_u32_le(body.crc.finalize());
    // The length modulo 2^32, as the format has it; a batch is far smaller.
    body.bytes.put_u32_le(body.plain_bytes as u32);
    body.bytes.freeze()
}

struct Body {
    bytes: BytesMut,
    crc: crc32fast::Hasher,
    plain_bytes: usize,
}

impl Body {
    /// Adds a short text as a stored block (RFC 1951, 3.2.4).
    fn stored(&mut self, text: &[u8], last: bool) {
        let length = text.len() as u16;
        self.bytes.put_u8(u8::from(last));
        self.bytes.put_u16_le(length);
        self.bytes.put_u16_le(!length);
        self.bytes.put_slice(text);
        self.crc.update(text);
        self.plain_bytes += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use lab::samples::Series;
    use rand::{SeedableRng, rngs::StdRng};
    use std::io::Read;
    use wire::report::Batch;

    #[test]
    fn what_is_joined_unpacks_to_the_batch() {
        let mut random = StdRng::seed_from_u64(1);
        let region = "eu-west-1".parse().expect("an id");
        let series =
            Series::new("home".parse().expect("an id"), "public".parse().expect("a target"), &region, 1);
        let mut report = |sequence, samples| Report {
            probe: "probe-1".parse().expect("an id"),
            sequence,
            samples: (0..samples).map(|n| series.sample(Micros(n), &mut random)).collect(),
            mesh: Vec::new(),
        };
        let reports = [report(1, 0), report(2, 1), report(3, 500)];
        let pieces: Vec<Piece> = reports.iter().map(|report| Piece::pack(report).expect("packed")).collect();
        for count in 0..=3 {
            let body = join(Micros(9), &pieces.iter().take(count).collect::<Vec<_>>());
            let mut decoder = GzDecoder::new(&body[..]);
            let mut json = Vec::new();
            decoder.read_to_end(&mut json).expect("valid, with the right checksum and length");
            let batch: Batch = serde_json::from_slice(&json).expect("a batch");
            assert_eq!(batch, Batch { sent: Micros(9), reports: reports[..count].to_vec(), lost: 0 });
        }
    }
}
