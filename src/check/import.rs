//! `sextant check import`: a journey from a browser's recording or from curl commands.

use ::import::{self as journey, Imported, MAX_BYTES, Options};
use anyhow::Context;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use wire::{CheckId, ServiceId};

/// Makes a journey. YAML goes to stdout or a file; what was left out, and which secrets it needs, to stderr.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, clap::Subcommand)]
enum Source {
    /// From a HAR file, which browsers save from their network panel.
    Har {
        /// The file; `-` reads stdin.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Keep images, fonts, scripts and style sheets too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// From curl commands, as browsers give them with "Copy as cURL (bash)". Several become several steps.
    Curl {
        /// The command in quotes; `-` reads commands from stdin, which keeps secrets out of the shell's history.
        #[arg(value_name = "COMMAND", default_value = "-")]
        command: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The id of the check. By default the service's with `-journey`.
    #[arg(long, value_name = "ID")]
    name: Option<CheckId>,
    /// The id of the service that the check measures. By default made from the host.
    #[arg(long, value_name = "ID")]
    service: Option<ServiceId>,
    /// Only requests to this host become steps. By default the host of the first document.
    #[arg(long, value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// Write a whole configuration with placeholders, not only the check.
    #[arg(long)]
    document: bool,
    /// Write to this file, which must not exist, instead of stdout.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Common {
    fn options(&self, all: bool) -> Options {
        let Common { name, service, host, document, .. } = self;
        Options { name: name.clone(), service: service.clone(), host: host.clone(), all, document: *document }
    }
}

/// Reads, converts, writes.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (imported, output) = match &args.source {
        Source::Har { file, all, common } => {
            let bytes = if file == Path::new("-") { limited(io::stdin())? } else { read(file)? };
            (journey::har(&bytes, &common.options(*all))?, &common.output)
        }
        Source::Curl { command, common } => {
            let text = if command == "-" { text(limited(io::stdin())?)? } else { command.clone() };
            (journey::curl(&text, &common.options(true))?, &common.output)
        }
    };
    tell(&imported, output.as_deref())
}

/// Notes first, so that they are on the terminal even when nothing can be written.
fn tell(imported: &Imported, output: Option<&Path>) -> anyhow::Result<()> {
    for note in &imported.notes {
        eprintln!("note: {note}");
    }
    let Some(path) = output else {
        print!("{}", imported.yaml);
        return Ok(());
    };
    let cannot = || format!("cannot write {}", path.display());
    // A configuration is worth more than a recording: nothing is overwritten.
    let mut file = File::create_new(path).with_context(cannot)?;
    io::Write::write_all(&mut file, imported.yaml.as_bytes()).with_context(cannot)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    limited(File::open(path).with_context(cannot)?).with_context(cannot)
}

/// One byte more than allowed, to tell what fits from what does not.
fn limited(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    source.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> anyhow::Result<String> {
    String::from_utf8(bytes).context("the commands are no UTF-8 text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector::config;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use wire::assignment::CheckKind;

    const CHROME: &[u8] = include_bytes!("../../import/tests/fixtures/chrome.har");
    const FIREFOX: &[u8] = include_bytes!("../../import/tests/fixtures/firefox.har");

    /// The steps that the collector reads from a document.
    fn accepted(imported: &Imported) -> Vec<wire::assignment::Step> {
        let text = &imported.yaml;
        let config =
            config::parse(text, "imported.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let check = config.checks.into_values().next().expect("one check");
        let CheckKind::Journey(journey) = check.kind else { panic!("no journey") };
        journey.steps
    }

    #[test]
    fn the_collector_accepts_what_is_made_of_recordings() {
        let options = Options { document: true, all: true, ..Options::default() };
        let chrome = accepted(&journey::har(CHROME, &options).expect("a journey"));
        assert_eq!(chrome.len(), 7);
        assert_eq!(chrome.iter().map(|step| step.capture.len()).sum::<usize>(), 4);
        let firefox = accepted(&journey::har(FIREFOX, &options).expect("a journey"));
        assert_eq!(
            firefox.iter().map(|step| step.request.method.as_str()).collect::<Vec<_>>(),
            ["GET", "GET", "PUT"]
        );
    }

    #[test]
    fn the_collector_accepts_what_is_made_of_commands() {
        let options = Options { document: true, ..Options::default() };
        for (command, body) in [
            ("curl https://a.example/", None),
            ("curl -u a:bcdefg -m 0.5 'https://a.example/x?q=\"<ü>'", None),
            ("curl https://a.example/ -d 'a={{b}}{%c' -H 'x-y: {#'", Some("a={{ '{' }}{b}}{%c")),
            ("curl https://a.example/ --json $'{\"a\":\"\\u0001\\n\"}'", Some("{\"a\":\"\u{1}\n\"}")),
        ] {
            let steps = accepted(&journey::curl(command, &options).expect(command));
            assert_eq!(steps.first().and_then(|step| step.request.body.as_deref()), body, "{command}");
        }
    }

    /// Texts that look like ids, texts that mean something to YAML or templates, and any others.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec!["k7Qm2x9TbZ", "10485771", "/a7b7c7d7e7f7", "-x9y8z7w6v"])
                .prop_map(str::to_owned),
            "([{}%#'\":\\\\ \n-]|secret|null|[a-z0-9=&/]|\\PC){0,20}",
            "[a-z]{1,5}=[A-Za-z0-9]{0,20}",
        ]
    }

    fn headers() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(vec![
            "Cookie",
            "set-cookie",
            "authorization",
            "x-api-key",
            "X-Y",
            "bad name",
            ":path",
            "location",
            "accept",
        ]);
        let pairs = prop::collection::vec((name, value()), 0..4);
        pairs.prop_map(|pairs| {
            pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
        })
    }

    fn entry() -> impl Strategy<Value = Value> {
        let method = prop::sample::select(vec!["GET", "POST", "PUT", "HEAD", "DELETE"]);
        let status = prop::sample::select(vec![200, 302, 304, 404]);
        let kind =
            prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "text/plain"]);
        (method, [value(), value(), value(), value(), value()], status, kind, headers(), headers()).prop_map(
            |(method, [path, query, body, key, found], status, kind, sent, got)| {
                let url = format!("http://a.example/{path}?token={query}");
                let body = if status == 200 { json!({ "k": body, "password": query }).to_string() } else { body };
                let text = json!({ "id": found, key: [path], "true": query, "run": found }).to_string();
                json!({
                    "request": { "method": method, "url": url, "headers": sent, "postData": { "mimeType": kind, "text": body } },
                    "response": { "status": status, "headers": got, "content": { "mimeType": "application/json", "text": text } }
                })
            },
        )
    }

    proptest! {
        #[test]
        fn the_collector_accepts_whatever_is_made(entries in prop::collection::vec(entry(), 1..5)) {
            let har = json!({ "log": { "entries": entries } }).to_string();
            let options = Options { document: true, all: true, ..Options::default() };
            if let Ok(imported) = journey::har(har.as_bytes(), &options) {
                prop_assert!(!accepted(&imported).is_empty());
            }
        }
    }

    #[test]
    fn a_document_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journey.yaml");
        let imported = journey::curl("curl https://a.example/", &Options::default()).expect("a journey");
        tell(&imported, Some(&path)).expect("a new file");
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), imported.yaml);
        let error = tell(&imported, Some(&path)).expect_err("it exists");
        assert!(error.to_string().contains("cannot write"), "{error}");
    }
}
