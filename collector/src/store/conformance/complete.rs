//! Whether every function of the store is in the suite.

use std::{fs, path::Path};

/// Functions that no story has to call, and why.
const EXCEPT: [(&str, &str); 5] = [
    ("look_over", "every opening asks it; the stories of what opening finds out are its own"),
    ("for_migrations", "the connection by which every opening on PostgreSQL migrates"),
    ("within", "every transaction and question on PostgreSQL goes through it"),
    ("sqlite_to", "makes older schemas, which the tests of backups restore into"),
    ("postgres_to", "the same on PostgreSQL"),
];

/// The Rust files of a folder, by their texts.
fn texts(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the sources are there");
    let paths = files.map(|file| file.expect("readable").path());
    let rust = paths.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    rust.map(|path| fs::read_to_string(path).expect("readable")).collect()
}

/// The names of the asynchronous functions of a source file that others may call. What follows `#[cfg(test)]` is none of
/// the program; backups, in a folder of their own, have tests of their own.
fn functions(source: &str) -> impl Iterator<Item = &str> {
    let program = source.split("#[cfg(test)]").next().unwrap_or_default();
    program.lines().filter_map(|line| {
        let (visible, rest) = line.trim_start().split_once("async fn ")?;
        visible.starts_with("pub").then(|| rest.split(['(', '<']).next()).flatten()
    })
}

#[test]
fn every_function_of_the_store_is_called_by_a_story() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let stories = texts(&store.join("conformance"));
    let is_called = |name: &str| {
        let calls = [format!(".{name}("), format!("::{name}(")];
        stories.iter().any(|story| calls.iter().any(|call| story.contains(call.as_str())))
    };
    let sources = texts(&store);
    let all: Vec<&str> = sources.iter().flat_map(|source| functions(source)).collect();
    assert!(all.len() > 80 && all.contains(&"append") && all.contains(&"segments"), "{all:?}");
    let excepted = |name: &&str| EXCEPT.iter().any(|(known, _)| known == name);
    let missing: Vec<_> = all.iter().copied().filter(|name| !is_called(name) && !excepted(name)).collect();
    assert!(
        missing.is_empty(),
        "no story in store/conformance calls {missing:?}: add one for both databases"
    );
    for (name, why) in EXCEPT {
        assert!(all.contains(&name) && !is_called(name), "{name} needs no exception any more ({why})");
    }
}
