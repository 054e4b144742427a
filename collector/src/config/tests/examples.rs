//! Every example in the repository is right.

use super::good;
use std::{fs, path::Path};

#[test]
fn examples_in_deploy_are_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("the folder of examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            super::super::load(&path).unwrap_or_else(|error| panic!("{error}"));
            seen += 1;
        }
    }
    assert!(seen >= 2, "found only {seen} in {}", folder.display());
}

#[test]
fn the_full_example_gives_no_warning() {
    assert_eq!(super::super::warnings(&good(super::SHOP)), Vec::<String>::new());
}

/// Blocks with a `version` are whole documents; the others are sections, completed by the sections of [`REST`].
#[test]
fn examples_in_the_documentation_are_accepted() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = fs::read_to_string(page).expect("the page");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 8, "found only {} examples", blocks.len());
    for block in blocks {
        let has = |key: &str| block.lines().any(|line| line.starts_with(key));
        let rest =
            REST.lines().filter(|line| !has("version:") && !has(&line[..=line.find(':').unwrap_or(0)]));
        good(&rest.map(|line| line.to_owned() + "\n").chain([block.to_owned()]).collect::<String>());
    }
}

/// What the sections shown in the documentation refer to, one section a line.
const REST: &str = "\
version: 1
regions: {us-east-1: {}, eu-west-1: {}}
probes: {probe-us-east-1: {region: us-east-1, token: {env: A}}, probe-eu-west-1: {region: eu-west-1, token: {env: B}}}
services: {shop: {public: http://shop, regions: {us-east-1: http://us, eu-west-1: http://eu}, receivers: [entrance]}}
receivers: {entrance: {webhook: http://localhost:9000/, secret: {env: C}}}
";
