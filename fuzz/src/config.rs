//! A configuration document, and what probes are told when it is accepted.

use crate::{directive, json};
use collector::config;
use probe::fuzzing;

/// Validates the text; what is accepted must suit the probes.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let config = match config::parse(text, "fuzz.yaml") {
        Ok(config) => config,
        Err(problems) => {
            // What YAML 1.1 took for line ends too, so that the bound holds for every reader.
            let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
            assert!(problems.iter().next().is_some(), "refused without a problem");
            for problem in problems.iter() {
                assert!((1..=lines + 1).contains(&problem.line) && problem.column >= 1, "{problem:?}");
                assert!(!problem.message.contains("a defect of Sextant"), "{problem:?}");
            }
            let _never_panics = problems.to_string();
            return;
        }
    };
    let _never_panics = config::warnings(&config);
    for (id, probe) in &config.probes {
        let assignment = config::assignment(&config, 1, id).expect("the probe is configured");
        json::same_again(&assignment);
        if let Err(invalid) = fuzzing::assignment(&assignment, &probe.region) {
            panic!("the probe refuses what was configured: {invalid}");
        }
        for check in &assignment.checks {
            check.endpoints.iter().for_each(|endpoint| directive::ready(&check.kind, &endpoint.url));
        }
    }
}
