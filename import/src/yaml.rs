//! Writes the YAML: the check, or a whole document around it.

use crate::{
    Ids,
    capture::Source,
    draft::Step,
    select::Origin,
    text::{Context, Text},
};
use std::{fmt::Write, time::Duration};

/// How long the whole journey may take when nobody said, and the bounds of the configuration.
const TIMEOUT: Duration = Duration::from_secs(30);
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
const MOST_TIMEOUT: Duration = Duration::from_secs(60);

/// Words that YAML does not read as texts, or that people do not.
const WORDS: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "none"];

/// The check `ids.check` of these steps; with `document` all that a configuration needs.
pub(crate) fn write(
    steps: &[Step],
    ids: &Ids,
    origin: &Origin,
    timeout: Option<Duration>,
    document: bool,
) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = header(&mut out, ids, origin, document);
    let _ = check(&mut out, ids, timeout);
    for each in steps {
        let _ = step(&mut out, each);
    }
    out
}

fn header(out: &mut String, ids: &Ids, origin: &Origin, document: bool) -> std::fmt::Result {
    let (url, service) = (origin.url(), &ids.service);
    if !document {
        writeln!(out, "# Recorded at {url}. Paste the entry under `checks` of your configuration;")?;
        writeln!(out, "# it measures the service `{service}`.")?;
        return Ok(());
    }
    writeln!(out, "# Recorded at {url}. The region, the probe and its token are placeholders:")?;
    writeln!(out, "# make them yours, and name the addresses of the service in your regions.")?;
    writeln!(out, "version: 1\n\nregions:\n  home: {{}}\n\nprobes:\n  probe-home:\n    region: home")?;
    writeln!(out, "    token: {{ env: SEXTANT_PROBE_HOME_TOKEN }}\n")?;
    writeln!(out, "services:\n  {}:\n    regions:\n      home: {}\n", key(service), scalar(&url))
}

fn check(out: &mut String, ids: &Ids, timeout: Option<Duration>) -> std::fmt::Result {
    let timeout = timeout.unwrap_or(TIMEOUT).clamp(LEAST_TIMEOUT, MOST_TIMEOUT).as_millis();
    let timeout =
        if timeout.is_multiple_of(1000) { format!("{}s", timeout / 1000) } else { format!("{timeout}ms") };
    writeln!(out, "checks:\n  {}:\n    service: {}", key(&ids.check), key(&ids.service))?;
    writeln!(out, "    # Shown, and moves nobody. Make it `down` once the journey has proved itself.")?;
    writeln!(
        out,
        "    impact: degraded\n    interval: 1m\n    timeout: {timeout}\n    journey:\n      steps:"
    )
}

fn step(out: &mut String, step: &Step) -> std::fmt::Result {
    writeln!(out, "        - name: {}", scalar(&step.name))?;
    writeln!(out, "          {}: {}", step.method, text(&step.path, Context::Path))?;
    if !step.headers.is_empty() {
        writeln!(out, "          headers:")?;
    }
    for (name, value) in &step.headers {
        writeln!(out, "            {}: {}", key(name), text(value, Context::Free))?;
    }
    if let Some(body) = &step.body {
        writeln!(out, "          body: {}", text(body, Context::Free))?;
    }
    if let Some(status) = step.status {
        writeln!(out, "          expect: {{ status: {status} }}")?;
    }
    if !step.captures.is_empty() {
        writeln!(out, "          capture:")?;
    }
    for (name, source) in &step.captures {
        match source {
            Source::Json(path) => writeln!(out, "            {}: {{ json: {} }}", key(name), quoted(path))?,
            Source::Header(header) => {
                writeln!(out, "            {}: {{ header: {} }}", key(name), quoted(header))?
            }
        }
    }
    Ok(())
}

fn text(text: &Text, context: Context) -> String {
    scalar(&text.template(context))
}

/// A key: as it is, when nobody can read it as anything but a text.
fn key(text: &str) -> String {
    scalar(text)
}

/// A text on one line, plain where that is safe.
pub(crate) fn scalar(text: &str) -> String {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"/_.-?=&%+~;,".contains(&b);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.bytes().all(inside)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// A text in quotes: single ones where double ones would need backslashes and no other escapes are needed.
fn quoted(text: &str) -> String {
    let printable = text.bytes().all(|b| (32..127).contains(&b));
    if printable && text.contains(['"', '\\']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from('"');
    for c in text.chars() {
        let code = u32::from(c);
        // Writing into a string cannot fail.
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            _ if code < 0x20 || (0x7f..0xa0).contains(&code) => write!(out, "\\x{code:02x}"),
            // Ends of lines, marks without width, and what is no character.
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' => write!(out, "\\u{code:04x}"),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => write!(out, "\\u{code:04x}"),
            _ => write!(out, "{c}"),
        };
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn writes_texts_plainly_where_it_can() {
        assert_eq!(scalar("/cart?a=b&c=d"), "/cart?a=b&c=d");
        assert_eq!(scalar("no"), "\"no\"");
        assert_eq!(scalar("0755"), "\"0755\"");
        assert_eq!(scalar("a: b"), "\"a: b\"");
        assert_eq!(scalar("{\"it\": \"it's\"}"), "'{\"it\": \"it''s\"}'");
        assert_eq!(scalar("a\n\u{2028}\""), "\"a\\n\\u2028\\\"\"");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in "(\\PC|[\\x01-\\x7f]|[\u{80}-\u{a0}\u{2028}\u{feff}]|[:#'\"\\\\ -]){0,24}") {
            let yaml = format!("k: {}\n", scalar(&text));
            let read: BTreeMap<String, String> = serde_saphyr::from_str(&yaml).expect(&yaml);
            prop_assert_eq!(read.get("k"), Some(&text));
        }
    }
}
