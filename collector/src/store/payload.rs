//! How an entry of the log is kept as bytes: one byte that says what it is, then an LZ4 block of JSON.
//!
//! JSON, because collectors of two versions read the same log while one replaces the other: a field that one of them
//! does not know is left alone. LZ4, because a report packs to about a fifth and that costs less than writing the rest.

use super::Error;
use crate::decide::Event;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wire::{Micros, report::Report};

/// The bytes are a report with what was said of its batch.
const REPORT: u8 = 1;
/// The bytes are another event.
const EVENT: u8 = 2;
/// The most that an entry may unpack to.
const MOST: usize = 8 << 20;
/// The most that the JSON of a report may have, so that it can be read again; what is around it is small.
pub const MOST_REPORT: usize = MOST - (64 << 10);

#[derive(Serialize)]
struct Packed<'a> {
    sent: Micros,
    lost: u64,
    report: &'a RawValue,
}

#[derive(Deserialize)]
struct Unpacked {
    sent: Micros,
    lost: u64,
    report: Report,
}

/// Packs a report as it came.
pub fn of_report(sent: Micros, lost: u64, report: &RawValue) -> Vec<u8> {
    pack(REPORT, &Packed { sent, lost, report })
}

/// Packs an event that is no report.
pub fn of_event(event: &Event) -> Vec<u8> {
    pack(EVENT, event)
}

fn pack(kind: u8, value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("our own types serialise to JSON");
    let mut packed = vec![0; 5 + lz4_flex::block::get_maximum_output_size(json.len())];
    packed[0] = kind;
    // A batch is far below 4 GiB.
    packed[1..5].copy_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    // The room is enough by definition; were it not, the entry would be unreadable and say so.
    let length = lz4_flex::block::compress_into(&json, &mut packed[5..]).unwrap_or(0);
    packed.truncate(5 + length);
    packed
}

/// Reads an entry.
///
/// # Errors
/// When the bytes are damaged or from a newer version.
pub fn read(bytes: &[u8], received: Micros) -> Result<Event, Error> {
    let (kind, json) = unpack(bytes)?;
    let failed = |source| Error::Stored { what: "a log entry", source };
    // Checked once for all; the parser would do it for each of its texts.
    let json = str::from_utf8(&json).map_err(|_| Error::Unreadable { what: "a log entry" })?;
    match kind {
        REPORT => {
            let Unpacked { sent, lost, report } = serde_json::from_str(json).map_err(failed)?;
            Ok(Event::Report { received, sent, report, lost })
        }
        EVENT => serde_json::from_str(json).map_err(failed),
        _ => Err(Error::Unreadable { what: "a log entry" }),
    }
}

/// Changes the report of an entry, if `edit` says that it has changed it. Nothing when it is no report, or was not
/// changed.
///
/// # Errors
/// When the bytes are damaged or from a newer version.
pub fn edit(
    bytes: &[u8],
    edit: impl FnOnce(&mut serde_json::Value) -> bool,
) -> Result<Option<Vec<u8>>, Error> {
    let (kind, json) = unpack(bytes)?;
    if kind != REPORT {
        return Ok(None);
    }
    let mut entry: serde_json::Value =
        serde_json::from_slice(&json).map_err(|source| Error::Stored { what: "a log entry", source })?;
    let edited = entry.get_mut("report").is_some_and(edit);
    Ok(edited.then(|| pack(REPORT, &entry)))
}

/// Reads an entry of the log for its readers. A report that cannot be read is left out, and the collector's log says so:
/// nobody could ever go on otherwise. What is not known at all is an error, because a newer version wrote it.
///
/// # Errors
/// When the bytes are damaged or from a newer version.
pub fn read_or_leave_out(bytes: &[u8], position: i64, received: Micros) -> Result<Event, Error> {
    match read(bytes, received) {
        Err(error) if bytes.first() == Some(&REPORT) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, position, "a report in the log cannot be read and is left out");
            Ok(Event::Tick)
        }
        read => read,
    }
}

fn unpack(bytes: &[u8]) -> Result<(u8, Vec<u8>), Error> {
    let damaged = || Error::Unreadable { what: "a log entry" };
    let (head, block) = bytes.split_at_checked(5).ok_or_else(damaged)?;
    let size =
        usize::try_from(u32::from_le_bytes([head[1], head[2], head[3], head[4]])).unwrap_or(usize::MAX);
    if size > MOST {
        return Err(damaged());
    }
    let json = lz4_flex::block::decompress(block, size).map_err(|_| damaged())?;
    Ok((head[0], json))
}

/// Packs a JSON document that is large, as the decider's state.
pub fn of_document(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("our own types serialise to JSON");
    lz4_flex::block::compress_prepend_size(&json)
}

/// Reads what [`of_document`] packed.
///
/// # Errors
/// When the bytes are damaged or from a newer version.
pub fn document<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, Error> {
    let (size, block) = lz4_flex::block::uncompressed_size(bytes).map_err(|_| Error::Unreadable { what })?;
    // LZ4 packs to 1/255 at most, so a larger claim is no size of ours and must not cost memory.
    if size > block.len().saturating_mul(255).saturating_add(64) {
        return Err(Error::Unreadable { what });
    }
    let json = lz4_flex::block::decompress(block, size).map_err(|_| Error::Unreadable { what })?;
    serde_json::from_slice(&json).map_err(|source| Error::Stored { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REPORT_JSON: &str = r#"{"probe":"p1","sequence":7,"samples":[],"from_the_future":{"a":[1,2]}}"#;

    #[test]
    fn a_report_survives_as_it_came() {
        let raw: &RawValue = serde_json::from_str(REPORT_JSON).expect("JSON");
        let bytes = of_report(Micros(5), 3, raw);
        let (_, json) = unpack(&bytes).expect("unpacked");
        assert!(String::from_utf8_lossy(&json).contains("from_the_future"), "unknown fields are kept");
        match read(&bytes, Micros(9)).expect("read") {
            Event::Report { received, sent, report, lost } => {
                assert_eq!((received, sent, lost, report.sequence), (Micros(9), Micros(5), 3, 7));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(read(&of_event(&Event::Tick), Micros(0)).expect("read"), Event::Tick);
    }

    #[test]
    fn a_lie_about_the_size_costs_nothing() {
        let mut bytes = of_event(&Event::Tick);
        bytes[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&bytes, Micros(0)).is_err());
        assert!(document::<u32>(&[255, 255, 255, 127, 1, 2], "a number").is_err());
        assert_eq!(document::<Vec<u32>>(&of_document(&[1, 2, 3]), "numbers").expect("read"), [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, Micros(0));
            let _ = document::<serde_json::Value>(&bytes, "bytes");
        }
    }
}
