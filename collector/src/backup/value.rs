//! The values of a row, and how they are written.
//!
//! A value is a tag and its content: 0 null, 1 integer (i64), 2 float (the bits of an f64), 3 false, 4 true, 5 text and
//! 6 bytes (a u32 length, then as many bytes). Numbers are little-endian.

use super::format::{Column, ROW_MOST};

/// A value of a column, on either engine.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(String),
    Bytes(Vec<u8>),
}

/// By the bits, so that a value equals itself whatever it is.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Integer(one), Value::Integer(other)) => one == other,
            (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
            (Value::Boolean(one), Value::Boolean(other)) => one == other,
            (Value::Text(one), Value::Text(other)) => one == other,
            (Value::Bytes(one), Value::Bytes(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// The bytes that it takes when it is written.
    pub fn size(&self) -> usize {
        match self {
            Value::Null | Value::Boolean(_) => 1,
            Value::Integer(_) | Value::Float(_) => 9,
            Value::Text(text) => 5 + text.len(),
            Value::Bytes(bytes) => 5 + bytes.len(),
        }
    }

    /// Writes it. Its size is below [`ROW_MOST`], which fits a u32.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut long = |tag: u8, bytes: &[u8]| {
            out.push(tag);
            let length = u32::try_from(bytes.len()).expect("the size of the row was looked at before");
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Value::Text(text) => return long(5, text.as_bytes()),
            Value::Bytes(bytes) => return long(6, bytes),
            _ => {}
        }
        match self {
            Value::Integer(number) => {
                out.push(1);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Value::Float(number) => {
                out.push(2);
                out.extend_from_slice(&number.to_bits().to_le_bytes());
            }
            Value::Boolean(false) => out.push(3),
            Value::Boolean(true) => out.push(4),
            _ => out.push(0),
        }
    }

    /// Reads one from the front; absent when the bytes are none.
    pub fn read(from: &mut &[u8]) -> Option<Value> {
        let (tag, rest) = from.split_first()?;
        *from = rest;
        Some(match tag {
            0 => Value::Null,
            1 => Value::Integer(i64::from_le_bytes(array(from)?)),
            2 => Value::Float(f64::from_bits(u64::from_le_bytes(array(from)?))),
            3 => Value::Boolean(false),
            4 => Value::Boolean(true),
            5 => Value::Text(String::from_utf8(long(from)?.to_vec()).ok()?),
            6 => Value::Bytes(long(from)?.to_vec()),
            _ => return None,
        })
    }
}

/// Reads a row of these columns from the front; absent when the bytes are none.
pub fn row(columns: &[Column], from: &mut &[u8]) -> Option<Vec<Value>> {
    let whole = from.len();
    let values: Vec<Value> = columns
        .iter()
        .map(|column| Value::read(from).filter(|value| column.kind.holds(value)))
        .collect::<Option<_>>()?;
    (whole - from.len() <= ROW_MOST).then_some(values)
}

/// Takes so many bytes from the front.
pub fn array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*bytes)
}

fn long<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_le_bytes(array(from)?)).ok()?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}
