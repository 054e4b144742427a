//! Our codec against packets made by another implementation: `tests/interop/golden.txt`, written by `golden.py` beside
//! it.

use mesh::packet::{Answer, ErrorEstimate, Request, Stamp, tlv};
use std::collections::HashMap;

const GOLDEN: &str = include_str!("../interop/golden.txt");

/// A line of the file.
struct Packet {
    kind: &'static str,
    fields: HashMap<&'static str, u64>,
    bytes: Vec<u8>,
}

impl Packet {
    fn read(line: &'static str) -> Self {
        let (kind, rest) = line.split_once(' ').expect("a kind");
        let (fields, bytes) = rest.split_once(" bytes=").expect("bytes");
        let number = |text| u64::from_str_radix(text, 16).expect("a hexadecimal number");
        let field = |text: &'static str| text.split_once('=').map(|(name, value)| (name, number(value)));
        let bytes = (0..bytes.len()).step_by(2).map(|i| number(&bytes[i..i + 2]) as u8).collect();
        Self { kind, fields: fields.split(' ').map(|text| field(text).expect("a field")).collect(), bytes }
    }

    fn get(&self, name: &str) -> u64 {
        self.fields[name]
    }

    fn estimate(&self, prefix: &str) -> ErrorEstimate {
        let get = |name: &str| self.fields.get(format!("{prefix}{name}").as_str()).copied().unwrap_or(0);
        let raw = get("s") << 15 | get("z") << 14 | get("scale") << 8 | get("multiplier");
        ErrorEstimate::decode((raw as u16).to_be_bytes())
    }
}

#[test]
fn packets_of_another_implementation_are_read_and_written_alike() {
    let packets: Vec<Packet> =
        GOLDEN.lines().filter(|line| !line.starts_with('#')).map(Packet::read).collect();
    assert!(
        packets.iter().any(|packet| packet.kind == "request")
            && packets.iter().any(|packet| packet.kind == "answer")
    );
    for packet in &packets {
        let extensions = packet.bytes[44..].to_vec();
        let found = tlv::walk(&extensions).collect::<Result<Vec<_>, _>>().expect("whole extensions");
        assert_eq!(found.len() as u64, packet.get("extensions"));
        let (read, written) = match packet.kind {
            "request" => {
                let expected = Request {
                    sequence: packet.get("sequence") as u32,
                    sent: Stamp(packet.get("stamp")),
                    error: packet.estimate(""),
                    ssid: packet.get("ssid") as u16,
                    extensions,
                };
                (Request::decode(&packet.bytes, None) == Ok(expected.clone()), expected.encode(None))
            }
            _ => {
                let expected = Answer {
                    sequence: packet.get("sequence") as u32,
                    returned: Stamp(packet.get("stamp")),
                    error: packet.estimate(""),
                    ssid: packet.get("ssid") as u16,
                    reached: Stamp(packet.get("reached")),
                    sender_sequence: packet.get("sender_sequence") as u32,
                    sender_sent: Stamp(packet.get("sender_stamp")),
                    sender_error: packet.estimate("sender_"),
                    sender_ttl: Some(packet.get("ttl") as u8),
                    extensions,
                };
                (Answer::decode(&packet.bytes, None) == Ok(expected.clone()), expected.encode(None))
            }
        };
        assert!(read, "{:02x?}", packet.bytes);
        assert_eq!(written, packet.bytes);
    }
}
