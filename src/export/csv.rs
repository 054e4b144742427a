//! Rows as text: RFC 4180, with a line of names, UTF-8 and line feeds.

use super::{
    Sheet,
    table::{Column, Value},
};
use std::io::{self, Write};
use wire::Micros;

/// Writes CSV.
pub struct Csv<W> {
    out: W,
    line: String,
}

impl<W: Write> Csv<W> {
    /// Begins with the names of the columns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(mut out: W, columns: &[Column]) -> io::Result<Csv<W>> {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        writeln!(out, "{}", names.join(","))?;
        Ok(Csv { out, line: String::new() })
    }
}

impl<W: Write> Sheet for Csv<W> {
    fn row(&mut self, values: Vec<Value>) -> io::Result<()> {
        self.line.clear();
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                self.line.push(',');
            }
            match value {
                Value::Absent => {}
                Value::Text(text) => quote(text, &mut self.line),
                Value::Int(number) => self.line += &number.to_string(),
                Value::Bool(truth) => self.line += if *truth { "true" } else { "false" },
                Value::Instant(at) => self.line += &Micros(*at).to_string(),
            }
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// Quotes what needs it; an empty text is quoted, so that it is not taken for an absent value.
fn quote(text: &str, line: &mut String) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::table::Kind;

    #[test]
    fn what_needs_quotes_gets_them() {
        let columns = ["a", "b", "c"].map(|name| Column { name, kind: Kind::Text, optional: true });
        let mut out = Vec::new();
        let mut csv = Box::new(Csv::new(&mut out, &columns).expect("written"));
        let text = |text: &str| Value::Text(text.into());
        csv.row(vec![text("plain"), text("a, \"b\"\nc"), text("")]).expect("written");
        csv.row(vec![Value::Absent, Value::Instant(1_795_000_000_000_123), Value::Bool(true)])
            .expect("written");
        csv.finish().expect("written");
        let lines = "a,b,c\nplain,\"a, \"\"b\"\"\nc\",\"\"\n,2026-11-18T11:06:40.000123Z,true\n";
        assert_eq!(String::from_utf8(out).expect("text"), lines);
    }
}
