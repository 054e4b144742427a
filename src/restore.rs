//! `sextant restore`: a new database out of what `sextant backup` wrote.

use crate::{
    backup::{Teller, input, key, tell},
    place::{Chosen, Place},
};
use collector::{
    backup::file,
    store::backup::{Target, restore},
};
use runtime::clock::{Clock, SystemClock};
use std::path::PathBuf;

/// Fills a new, empty database from a backup: as a whole, or not at all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backup; `-` is stdin.
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// The file with its key, when it is encrypted.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Restores it.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let key = key(args.key_file.as_deref())?;
    let archive = file::open(input(&args.file)?, key.as_ref())?;
    let (target, hint) = match args.place.choose() {
        Chosen::Folder(folder) => {
            let hint = format!("--data {}", folder.display());
            (Target::Folder(folder), hint)
        }
        Chosen::Postgres(url) => (Target::Postgres(url), "this database".into()),
    };
    let mut teller = Teller::default();
    let restored = restore(archive, &target, SystemClock.now(), |progress| teller.tell(progress)).await?;
    tell(&restored.summary);
    if restored.cleaned > 0 {
        eprintln!(
            "{} texts had a NUL character, which PostgreSQL cannot keep; it was taken out",
            restored.cleaned
        );
    }
    eprintln!(
        "restored, schema {}: start the collector with {hint}. Make sure that the old one never runs again",
        restored.schema
    );
    Ok(())
}
