//! What expressions can call. Nothing here loops, reads files, or makes a text much longer than what it is given.

use base64::{Engine, engine::general_purpose::STANDARD};
use minijinja::{Environment, Error, ErrorKind, filters};
use runtime::random::Random;
use std::time::Instant;
use wire::Micros;

/// The most hexadecimal digits at a time.
const MOST_DIGITS: usize = 256;

/// Adds functions that draw from `random` and tell the time that began as `started` at `begun`; and filters.
pub(super) fn add(environment: &mut Environment<'static>, random: Random, started: Micros, begun: Instant) {
    let now = move || started.plus(begun.elapsed());
    environment.add_function("now", move || now().to_string());
    environment.add_function("timestamp", move || now().0.div_euclid(1_000_000));
    environment.add_function("timestamp_ms", move || now().0.div_euclid(1_000));
    let drawn = random.clone();
    environment.add_function("uuid", move || uuid(drawn.bytes()));
    let drawn = random.clone();
    environment.add_function("random_int", move |least: i64, most: i64| {
        between(u64::from_le_bytes(drawn.bytes()), least, most)
    });
    let drawn = random.clone();
    environment.add_function("random_hex", move |digits: usize| hex(&drawn, digits));
    environment.add_function("random_word", move || word(random.bytes()));

    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("length", filters::length);
    environment.add_filter("default", filters::default);
    environment.add_filter("int", filters::int);
    environment.add_filter("tojson", filters::tojson);
    environment.add_filter("urlencode", |text: String| super::super::content::percent(&text));
    environment.add_filter("base64", |text: String| STANDARD.encode(text));
}

/// RFC 9562, 5.4: version 4.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = super::words::hex(&bytes);
    let [a, b, c, d, e] = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// A number of the range, both ends included, by the upper half of a product (no end is favoured by more than 2⁻⁶⁴).
fn between(drawn: u64, least: i64, most: i64) -> Result<i64, Error> {
    if least > most {
        let why = format!("random_int({least}, {most}): the first number must not be the larger one");
        return Err(Error::new(ErrorKind::InvalidOperation, why));
    }
    let width = most.abs_diff(least) as u128 + 1;
    let offset = (u128::from(drawn) * width) >> 64;
    Ok((i128::from(least) + offset as i128) as i64)
}

fn hex(random: &Random, digits: usize) -> Result<String, Error> {
    if !(1..=MOST_DIGITS).contains(&digits) {
        let why = format!("random_hex({digits}): use 1 to {MOST_DIGITS} digits");
        return Err(Error::new(ErrorKind::InvalidOperation, why));
    }
    let mut text = super::words::hex(&random.bytes::<{ MOST_DIGITS / 2 }>());
    text.truncate(digits);
    Ok(text)
}

/// Six letters that can be pronounced, such as `kobuda`.
fn word(drawn: [u8; 6]) -> String {
    const CONSONANTS: &[u8] = b"bdfghklmnprstvwz";
    const VOWELS: &[u8] = b"aeio";
    let letter = |(index, byte): (usize, &u8)| {
        let letters = if index % 2 == 0 { CONSONANTS } else { VOWELS };
        char::from(letters[usize::from(*byte) % letters.len()])
    };
    drawn.iter().enumerate().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range() {
        for drawn in [0, 1, u64::MAX / 2, u64::MAX] {
            for (least, most) in [(0, 0), (1, 6), (-3, 3), (i64::MIN, i64::MAX)] {
                let number = between(drawn, least, most).expect("a range");
                assert!((least..=most).contains(&number), "{number}");
            }
        }
        assert_eq!((between(0, 1, 6).ok(), between(u64::MAX, 1, 6).ok()), (Some(1), Some(6)));
        assert!(between(0, 2, 1).is_err());
    }

    #[test]
    fn identifiers_have_their_form() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(word([0, 1, 16, 5, 255, 3]), "bebezo");
    }
}
