//! No text makes the parser panic, and what it accepts keeps the promises of the model.

use super::{SHOP, parse};
use crate::config::{Config, assignment};
use proptest::{prelude::*, sample::Index};

/// Small pieces that are likely to meet a reader which does not expect them.
const PIECES: [&str; 24] = [
    "{}",
    "[]",
    "~",
    "null",
    "\"\"",
    "-1",
    "1e99",
    ".nan",
    "99999999999999999999",
    "true",
    "all",
    "public",
    "other",
    "*critical",
    "&critical",
    "<<: *critical",
    "{{ cart }}",
    "{{",
    "- ",
    "? ",
    "0s",
    "1h",
    "http://u:p@h",
    "\u{1b}[2J",
];

fn check(text: &str) {
    match parse(text, "test.yaml") {
        Ok(config) => check_promises(&config),
        Err(problems) => {
            assert!(problems.iter().len() > 0);
            for problem in problems.iter() {
                assert!(
                    problem.line >= 1 && problem.column >= 1 && !problem.message.is_empty(),
                    "{problem:?}"
                );
                assert!(!problem.message.contains("defect"), "{text}");
            }
            assert!(!problems.to_string().chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}

fn check_promises(config: &Config) {
    for check in config.checks.values() {
        assert!(!check.from.is_empty() && !check.to.is_empty());
        assert!(config.services.contains_key(&check.service));
    }
    for service in config.services.values() {
        assert!(service.endpoints.values().any(|endpoint| endpoint.weight > 0));
        assert!(service.receivers.iter().all(|id| config.receivers.contains_key(id)));
    }
    for probe in config.probes.keys() {
        let assignment = assignment(config, 1, probe).expect("a configured probe has an assignment");
        for assigned in assignment.checks {
            assert_eq!(assigned.endpoints.len(), config.checks[&assigned.id].to.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn text_that_looks_like_yaml_never_panics(text in "([ \\n]{0,4}[a-z{}\\[\\]&*!|>'\"%@`#,?:-]{0,6}:? ?){0,40}") {
        check(&text);
    }

    #[test]
    fn a_damaged_document_never_panics(
        edits in proptest::collection::vec((any::<Index>(), any::<Index>(), 0..5), 1..4),
    ) {
        let mut lines: Vec<String> = SHOP.lines().map(str::to_owned).collect();
        for (line, piece, kind) in edits {
            let at = line.index(lines.len());
            let piece = *piece.get(&PIECES);
            match kind {
                0 => _ = lines.remove(at),
                1 => lines.insert(at, lines[at].clone()),
                2 => lines[at].push_str(piece),
                3 => {
                    let key = lines[at].split_inclusive(": ").next().unwrap_or_default().to_owned();
                    lines[at] = key + piece;
                }
                _ => lines[at] = lines[at].replacen(' ', "", 1),
            }
        }
        check(&lines.join("\n"));
    }

    #[test]
    fn a_document_cut_anywhere_never_panics(end in any::<Index>()) {
        let end = SHOP.floor_char_boundary(end.index(SHOP.len()));
        check(&SHOP[..end]);
    }
}
