//! The secrets file: YAML, a name and a place for each secret.
//!
//! Errors never repeat a value, because people write the secret itself where its place belongs.

use super::{is_name, read::Source};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The largest secrets file, bytes.
const DOCUMENT_MOST: u64 = 256 * 1024;
/// How long a value is used where the file does not say.
const REFRESH: Duration = Duration::from_secs(300);

/// Why a secrets file is not used. All of it needs a person: do not retry.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("cannot read the secrets file {}: correct --secrets, or its permissions", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("the secrets file {} is larger than {DOCUMENT_MOST} bytes", file.display())]
    Large { file: PathBuf },
    #[error("the secrets file {} is not well-formed YAML: {why}", file.display())]
    Malformed { file: PathBuf, why: String },
    #[error("the secrets file {} is wrong: {problems}", file.display())]
    Wrong { file: PathBuf, problems: String },
}

/// Where a secret is, and for how long its value is used.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) refresh: Duration,
    /// Hosts it may be sent to, in lower case: names, addresses, or `*.` and the end of names.
    pub(super) hosts: Option<Vec<String>>,
}

/// Reads a secrets file. Relative file names are meant from its folder.
pub(super) fn load(file: &Path) -> Result<BTreeMap<String, Entry>, SecretsError> {
    let unreadable = |source| SecretsError::Unreadable { file: file.to_owned(), source };
    let mut text = String::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened.take(DOCUMENT_MOST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > DOCUMENT_MOST {
        return Err(SecretsError::Large { file: file.to_owned() });
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    parse(&text, folder).map_err(|wrong| match wrong {
        Wrong::Yaml(why) => SecretsError::Malformed { file: file.to_owned(), why },
        Wrong::Entries(problems) => {
            SecretsError::Wrong { file: file.to_owned(), problems: problems.join("; ") }
        }
    })
}

enum Wrong {
    Yaml(String),
    Entries(Vec<String>),
}

fn parse(text: &str, folder: &Path) -> Result<BTreeMap<String, Entry>, Wrong> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(BTreeMap::new());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let entries: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        // The place only: the library's sentence may quote what stands there.
        let place = error.location();
        Wrong::Yaml(place.map_or_else(
            || "it cannot be read as a mapping of names to places".to_owned(),
            |at| format!("look at line {}, column {}", at.line(), at.column()),
        ))
    })?;
    let Value::Object(entries) = entries else {
        return Err(Wrong::Entries(vec!["it must be a mapping of names to places".to_owned()]));
    };
    let mut problems = Vec::new();
    let mut read = BTreeMap::new();
    for (name, value) in entries {
        if !is_name(&name) {
            problems.push(format!(
                "{name:?} is no name of a secret: use 1 to 63 letters, digits, _ and -, no - at the ends"
            ));
            continue;
        }
        match entry(&value, folder) {
            Ok(entry) => _ = read.insert(name, entry),
            Err(why) => problems.push(format!("`{name}` {why}")),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(Wrong::Entries(problems)) }
}

/// Reads one place; an error completes "`name` …".
fn entry(value: &Value, folder: &Path) -> Result<Entry, String> {
    const SHAPE: &str = "needs one of `file: PATH`, `env: VARIABLE` and `command: [PROGRAM, ARGUMENT, …]`";
    let Value::Object(fields) = value else {
        return Err(format!("{SHAPE}; secrets themselves do not belong into this file"));
    };
    const KNOWN: [&str; 5] = ["file", "env", "command", "refresh", "hosts"];
    if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("has the unknown key {unknown:?}; known here: {}", KNOWN.join(", ")));
    }
    let text = |name: &str| fields.get(name).map(|value| text(name, value)).transpose();
    let (file, env, command) = (text("file")?, text("env")?, command(fields)?);
    let source = match (file, env, command) {
        (Some(file), None, None) => Source::File(folder.join(file)),
        (None, Some(variable), None) => Source::Env(variable),
        (None, None, Some(words)) => Source::Command(words),
        _ => return Err(SHAPE.to_owned()),
    };
    let refresh = match text("refresh")? {
        Some(text) => span(&text).ok_or("needs a `refresh` of 1s to 24h, such as 30s, 5m or 12h")?,
        None => REFRESH,
    };
    let hosts = hosts(fields)?;
    Ok(Entry { source, refresh, hosts })
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains('\0') => Ok(text.clone()),
        _ => Err(format!("needs a text for `{name}`")),
    }
}

fn command(fields: &Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    const SHAPE: &str = "needs a list for `command`: the program, then its arguments; no shell reads them";
    match fields.get("command") {
        None => Ok(None),
        Some(Value::Array(words)) if !words.is_empty() => {
            let words = words.iter().map(|word| text("command", word).map_err(|_| SHAPE.to_owned()));
            words.collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(SHAPE.to_owned()),
    }
}

fn hosts(fields: &Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    const SHAPE: &str =
        "needs a list of names or addresses for `hosts`, such as [shop.example.com, \"*.example.net\"]";
    let host = |value: &Value| {
        let host = text("hosts", value).ok()?;
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let stem = host.strip_prefix("*.").unwrap_or(&host);
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
        (!stem.is_empty() && stem.chars().all(letter)).then_some(host)
    };
    match fields.get("hosts") {
        None => Ok(None),
        Some(Value::Array(hosts)) if !hosts.is_empty() => hosts
            .iter()
            .map(|one| host(one).ok_or_else(|| SHAPE.to_owned()))
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Err(SHAPE.to_owned()),
    }
}

/// A whole number and a unit, 1 s to 24 h.
fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse::<u64>().ok())??;
    let seconds = seconds.checked_mul(unit)?;
    (1..=86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// Files with permissions that are wider than secrets should have.
pub(super) fn warnings(file: &Path, entries: &BTreeMap<String, Entry>) -> Vec<String> {
    let mode = |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode()).unwrap_or(0);
    let mut warnings = Vec::new();
    if mode(file) & 0o022 != 0 {
        warnings.push(format!(
            "the secrets file {} can be changed by others, and it names programs to run: chmod go-w it",
            file.display()
        ));
    }
    for (name, entry) in entries {
        if let Source::File(path) = &entry.source
            && mode(path) & 0o004 != 0
        {
            warnings.push(format!(
                "everybody on this machine can read the secret `{name}`: chmod o-r {}",
                path.display()
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        match parse(text, Path::new("/etc/sextant")) {
            Ok(_) => panic!("accepted: {text}"),
            Err(Wrong::Yaml(why)) => why,
            Err(Wrong::Entries(problems)) => problems.join("; "),
        }
    }

    #[test]
    fn places_are_read() {
        let text = "# for the shop\nshop-key: { file: shop.key }\nTOKEN_2: { env: TOKEN, refresh: 30s }\n\
                    vault: { command: [vault, read, -field=value], refresh: 12h }\n";
        let Ok(read) = parse(text, Path::new("/etc/sextant")) else { panic!("refused") };
        let shown: Vec<String> =
            read.values().map(|entry| format!("{:?} {:?}", entry.source, entry.refresh)).collect();
        assert_eq!(
            shown,
            [
                "Env(\"TOKEN\") 30s",
                "File(\"/etc/sextant/shop.key\") 300s",
                "Command([\"vault\", \"read\", \"-field=value\"]) 43200s",
            ]
        );
        assert!(parse("# none yet\n", Path::new("")).is_ok_and(|read| read.is_empty()));
    }

    #[test]
    fn mistakes_are_explained_and_no_value_is_repeated() {
        for (text, expected) in [
            ("key: hunter2", "`key` needs one of `file: PATH`"),
            ("key: { file: a, env: HUNTER2 }", "needs one of"),
            ("key: { fil: hunter2 }", "unknown key \"fil\"; known here: file, env, command, refresh, hosts"),
            ("key: { command: cat hunter2 }", "the program, then its arguments; no shell reads them"),
            ("key: { command: [] }", "the program"),
            ("key: { command: [cat, 5] }", "the program"),
            ("key: { file: a, refresh: 5 }", "needs a text for `refresh`"),
            ("key: { file: a, refresh: 25h }", "1s to 24h"),
            ("key: { file: a, refresh: 5x }", "1s to 24h"),
            ("key: { file: a, hosts: shop.test }", "needs a list of names or addresses for `hosts`"),
            ("key: { file: a, hosts: ['https://shop.test'] }", "needs a list of names or addresses"),
            ("-key: { file: a }", "is no name of a secret"),
            ("key: [hunter2", "line 1"),
            ("[hunter2]", "must be a mapping"),
            ("key: { file: a }\nkey: { file: b }", "line 2"),
        ] {
            let said = problems(text);
            assert!(said.contains(expected), "{text}: {said}");
            assert!(!said.contains("hunter2"), "{text}: {said}");
        }
    }
}
