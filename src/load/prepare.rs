//! `sextant load prepare`: a configuration with many checks, and the tokens of its probes.

use crate::secret;
use anyhow::{Context, ensure};
use clap::value_parser;
use runtime::random::Random;
use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// How many checks a service has.
const CHECKS_OF_SERVICE: u32 = 50;

/// Writes sextant.yaml and tokens/ into a folder. Every check is HTTP, from every probe to every target: checks x probes
/// x targets are the series.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write into; made when missing. What an earlier run wrote is replaced, tokens are kept.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Probes, the vantages; spread over the regions.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=1000))]
    probes: u32,
    /// Regions.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=100))]
    regions: u32,
    /// Checks, 50 to a service.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=100_000))]
    checks: u32,
    /// Regions in which each service runs.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=100))]
    targets: u32,
    /// Seconds between two runs of a series, as far as the configuration says; `send` has a rate of its own.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = value_parser!(u32).range(1..=3600))]
    interval: u32,
}

/// Writes it, and checks that a collector will take it.
///
/// # Errors
/// When the numbers do not fit together or the folder cannot be written to.
pub fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.targets <= args.regions,
        "{} targets need as many regions; --regions is {}",
        args.targets,
        args.regions
    );
    let tokens = args.out.join("tokens");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&tokens)
        .with_context(|| format!("cannot make the folder {}", tokens.display()))?;
    let random = Random::from_os();
    for probe in 0..args.probes {
        keep_token(&tokens.join(format!("{}.token", probe_id(probe))), &random)?;
    }
    let file = args.out.join("sextant.yaml");
    fs::write(&file, document(args)).with_context(|| format!("cannot write {}", file.display()))?;
    let (config, _) = collector::config::load(&file)?;
    let series: usize = config.checks.values().map(|check| check.from.len() * check.to.len()).sum();
    println!(
        "{}: {} services, {} checks, {} probes, {series} series",
        file.display(),
        config.services.len(),
        config.checks.len(),
        config.probes.len()
    );
    Ok(())
}

fn probe_id(probe: u32) -> String {
    format!("probe-{probe:03}")
}

fn region_id(region: u32) -> String {
    format!("region-{region:02}")
}

/// Writes a new token where there is none, readable for this user only.
fn keep_token(file: &Path, random: &Random) -> anyhow::Result<()> {
    let new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match new {
        Ok(mut new) => Ok(writeln!(new, "{}", secret::token(random))?),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot write {}", file.display())),
    }
}

/// The whole document.
fn document(args: &Args) -> String {
    // Writing to a text cannot fail.
    write_document(args).unwrap_or_default()
}

fn write_document(args: &Args) -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "# Written by `sextant load prepare`. Nobody answers at these addresses.\nversion: 1\n\nregions:\n",
    );
    for region in 0..args.regions {
        writeln!(text, "  {}: {{}}", region_id(region))?;
    }
    text.push_str("\nprobes:\n");
    for probe in 0..args.probes {
        let (id, region) = (probe_id(probe), region_id(probe % args.regions));
        writeln!(
            text,
            "  {id}: {{ region: {region}, failure_domain: {id}, token: {{ file: tokens/{id}.token }} }}"
        )?;
    }
    text.push_str("\nservices:\n");
    for service in 0..args.checks.div_ceil(CHECKS_OF_SERVICE) {
        writeln!(text, "  service-{service:04}:\n    regions:")?;
        for target in 0..args.targets {
            // So that every region has its part.
            let region = region_id((service + target) % args.regions);
            writeln!(text, "      {region}: https://service-{service:04}.{region}.example.com")?;
        }
    }
    text.push_str("\nchecks:\n");
    for check in 0..args.checks {
        let service = check / CHECKS_OF_SERVICE;
        writeln!(
            text,
            "  service-{service:04}-check-{:02}: {{ service: service-{service:04}, interval: {}s, slower_than: 800ms, http: {{ path: /{check} }} }}",
            check % CHECKS_OF_SERVICE,
            args.interval
        )?;
    }
    text.push_str("\nsteering:\n  automation: observe\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_a_collector_takes_and_keeps_tokens() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = Args {
            out: folder.path().join("load"),
            probes: 3,
            regions: 4,
            checks: 60,
            targets: 2,
            interval: 30,
        };
        run(&args).expect("written");
        let token = || fs::read_to_string(args.out.join("tokens/probe-001.token")).expect("a token");
        let first = token();
        run(&args).expect("written again");
        assert_eq!(token(), first);

        let (config, _) = collector::config::load(&args.out.join("sextant.yaml")).expect("valid");
        assert_eq!((config.services.len(), config.checks.len(), config.probes.len()), (2, 60, 3));
        for check in config.checks.values() {
            assert_eq!((check.from.len(), check.to.len(), check.interval.as_secs()), (3, 2, 30));
        }
        args.targets = 5;
        assert!(run(&args).is_err());
    }
}
