//! A column of numbers. Few of them are packed by bits ([`packed`](super::packed)), many are left to `pco`, which
//! learns their distribution.
//!
//! ```text
//! nothing                                           no numbers
//! 0        least: zigzag                            all the same
//! 1 to 65  least: zigzag  packed                    what they are above the least, in one bit fewer than the tag
//! 66       least: zigzag  length  pco chunk         the same, as numbers of 32 bits
//! 67       least: zigzag  length  pco chunk         the same, as numbers of 64 bits
//! 68       least: zigzag  step  a column            what they are above the least, in steps of 2 and more
//! ```
//! A pco chunk is the header, the chunk's metadata and one page of its wrapped format.

use super::packed;
use crate::bytes::{Reader, put_varint, unzigzag, zigzag};
use pco::{
    ChunkConfig, DeltaSpec, ModeSpec, PagingSpec,
    data_types::Number,
    errors::PcoResult,
    metadata::{DeltaEncoding, Mode},
    wrapped::{FileCompressor, FileDecompressor},
};

const CONSTANT: u8 = 0;
const PACKED: u8 = 1;
const PACKED_LAST: u8 = PACKED + packed::BITS as u8;
const PCO_32: u8 = PACKED_LAST + 1;
const PCO_64: u8 = PCO_32 + 1;
const STEPPED: u8 = PCO_64 + 1;
/// Below, what pco learns of the numbers costs more than it saves, and takes longer.
const PCO_LEAST: usize = 128;

/// Appends numbers that scatter.
pub fn encode(out: &mut Vec<u8>, values: &[i64]) {
    put(out, values, DeltaSpec::NoOp);
}

/// Appends numbers that grow in similar steps.
pub fn encode_steps(out: &mut Vec<u8>, values: &[i64]) {
    put(out, values, DeltaSpec::TryConsecutive(1));
}

fn put(out: &mut Vec<u8>, values: &[i64], delta: DeltaSpec) {
    let (Some(&least), Some(&most)) = (values.iter().min(), values.iter().max()) else { return };
    let range = most.wrapping_sub(least) as u64;
    if range == 0 {
        out.push(CONSTANT);
        put_varint(out, zigzag(least));
        return;
    }
    let above: Vec<u64> = values.iter().map(|value| value.wrapping_sub(least) as u64).collect();
    let step = above.iter().fold(0, |step, &value| common_divisor(step, value));
    if step > 1 {
        out.push(STEPPED);
        put_varint(out, zigzag(least));
        put_varint(out, step);
        // At most half of what fits into 64 bits. Their common divisor is 1, so this goes no deeper.
        let steps: Vec<i64> = above.iter().map(|value| (value / step) as i64).collect();
        return put(out, &steps, delta);
    }
    let width = packed::best_width(&above);
    let begin = out.len();
    out.push(PACKED + width as u8);
    put_varint(out, zigzag(least));
    let packed_begin = out.len();
    packed::encode(out, &above, width);
    if above.len() < PCO_LEAST {
        return;
    }
    let (tag, chunk) = match u32::try_from(range) {
        Ok(_) => (PCO_32, chunk(&above.iter().map(|&value| value as u32).collect::<Vec<_>>(), delta)),
        Err(_) => (PCO_64, chunk(&above, delta)),
    };
    // It refuses nothing that is asked of it here; if it did, the numbers are packed already.
    if let Ok(chunk) = chunk
        && chunk.len() < out.len() - packed_begin
    {
        out[begin] = tag;
        out.truncate(packed_begin);
        put_varint(out, chunk.len() as u64);
        out.extend(chunk);
    }
}

/// The greatest number that divides both; the other one when one of them is 0 (Euclid).
fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 && a != 1 {
        (a, b) = (b, a % b);
    }
    a
}

fn chunk<T: Number>(values: &[T], delta: DeltaSpec) -> PcoResult<Vec<u8>> {
    let config = ChunkConfig::default()
        .with_mode_spec(ModeSpec::Classic)
        .with_delta_spec(delta)
        .with_paging_spec(PagingSpec::Exact(vec![values.len()]));
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(values, &config)?;
    let out = file.write_header(Vec::new())?;
    let out = chunk.write_meta(out)?;
    chunk.write_page(0, out)
}

/// Reads `count` numbers.
pub fn decode(reader: &mut Reader<'_>, count: usize) -> Option<Vec<i64>> {
    if count == 0 {
        return Some(Vec::new());
    }
    match reader.byte()? {
        STEPPED => {
            let least = unzigzag(reader.varint()?);
            let step = reader.varint()? as i64;
            let tag = reader.byte()?;
            let mut values = plain(reader, count, tag)?;
            values.iter_mut().for_each(|value| *value = least.wrapping_add(value.wrapping_mul(step)));
            Some(values)
        }
        tag => plain(reader, count, tag),
    }
}

/// Numbers that have no step of their own.
fn plain(reader: &mut Reader<'_>, count: usize, tag: u8) -> Option<Vec<i64>> {
    let least = unzigzag(reader.varint()?);
    let value = |above: u64| least.wrapping_add(above as i64);
    Some(match tag {
        CONSTANT => vec![least; count],
        PACKED..=PACKED_LAST => {
            packed::decode(reader, count, (tag - PACKED).into())?.into_iter().map(value).collect()
        }
        PCO_32 => unchunk::<u32>(reader, count)?.into_iter().map(|above| value(above.into())).collect(),
        PCO_64 => unchunk::<u64>(reader, count)?.into_iter().map(value).collect(),
        _ => return None,
    })
}

fn unchunk<T: Number + Default>(reader: &mut Reader<'_>, count: usize) -> Option<Vec<T>> {
    let length = usize::try_from(reader.varint()?).ok()?;
    let bytes = reader.take(length)?;
    let (file, bytes) = FileDecompressor::new(bytes).ok()?;
    let (mut chunk, bytes) = file.chunk_decompressor::<T, _>(bytes).ok()?;
    // What we write, and nothing that would need memory beyond the numbers.
    let meta = chunk.meta();
    if !matches!(meta.mode, Mode::Classic)
        || !matches!(meta.delta_encoding, DeltaEncoding::NoOp | DeltaEncoding::Consecutive { .. })
    {
        return None;
    }
    let mut values = vec![T::default(); count];
    let mut page = chunk.page_decompressor(bytes, count).ok()?;
    let progress = page.read(&mut values).ok()?;
    (progress.finished && progress.n_processed == count && page.into_src().is_empty()).then_some(values)
}
