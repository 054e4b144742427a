//! `sextant evidence`: opens evidence that a collector has encrypted, with the region's key and nothing else.

use anyhow::{Context, bail};
use collector::residency::{EvidenceKey, reveal};
use serde_json::{Deserializer, Value};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The most that is read, bytes.
const MOST: u64 = 256 << 20;

/// Works with encrypted evidence.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Open what is sealed in JSON: an answer of the API, or several documents one after the other. What was sealed is
    /// added as `opened`.
    Open {
        /// A file with a key that `sextant secret evidence` made. Repeatable, for keys that were replaced.
        #[arg(long, required = true, value_name = "FILE")]
        key_file: Vec<PathBuf>,
        /// The JSON; stdin when absent.
        #[arg(value_name = "FILE")]
        document: Option<PathBuf>,
    },
}

/// Opens it and prints the document.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Action::Open { key_file, document } = &args.action;
    let keys: Vec<EvidenceKey> = key_file.iter().map(|path| key(path)).collect::<anyhow::Result<_>>()?;
    let text = match document {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            read(file).with_context(|| format!("cannot read {}", path.display()))?
        }
        None => read(io::stdin().lock()).context("cannot read what comes in")?,
    };
    open(&keys, &text, &mut io::stdout().lock())
}

fn open(keys: &[EvidenceKey], text: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let (mut opened, mut refused) = (0, 0);
    for document in Deserializer::from_str(text).into_iter::<Value>() {
        let mut document = document.context("this is no JSON: give it an answer of the API")?;
        let revealed = reveal(keys, &mut document);
        opened += revealed.opened;
        refused += revealed.refused;
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)?;
    }
    match (opened, refused) {
        (_, 0) if opened > 0 => Ok(()),
        (0, 0) => bail!("there is no sealed evidence in it"),
        _ => bail!(
            "{refused} of {} pieces of evidence could not be opened; `error` says why",
            opened + refused
        ),
    }
}

fn read(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

fn key(path: &Path) -> anyhow::Result<EvidenceKey> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the key {}", path.display()))?;
    EvidenceKey::parse(&text).with_context(|| {
        format!("{} holds no key of evidence; `sextant secret evidence` makes one", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_is_said() {
        let keys = [EvidenceKey::new([1; 32])];
        let said = |text: &str| {
            let mut out = Vec::new();
            let error = open(&keys, text, &mut out).expect_err("nothing can be opened");
            (error.to_string(), String::from_utf8(out).expect("text"))
        };
        assert!(said("{}").0.contains("no sealed evidence") && said("").0.contains("no sealed evidence"));
        assert!(said("nonsense").0.contains("no JSON"));
        let (error, out) =
            said(r#"{ "withheld": { "sealed": "AQ==" } } { "withheld": { "sealed": "AQ==" } }"#);
        assert!(error.contains("2 of 2") && out.matches("\"error\"").count() == 2, "{error} {out}");
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "evidence_s3cret").expect("written");
        let error = format!("{:#}", key(&path).expect_err("no key"));
        assert!(error.contains("sextant secret evidence") && !error.contains("s3cret"), "{error}");
        fs::write(&path, EvidenceKey::text([7; 32])).expect("written");
        key(&path).expect("a key");
    }
}
