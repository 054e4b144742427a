//! `sextant secret`: random tokens and keys in the right shape.

use base64::{Engine, engine::general_purpose::STANDARD};
use collector::secret::TokenHash;
use runtime::random::Random;

/// Makes a secret and prints it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// A probe's token. The token goes to stdout, for a file; its SHA-256, for `token: { sha256: … }`, to stderr.
    Token,
    /// A webhook key for a receiver, to stdout.
    Webhook,
    /// The key of the probes' mesh, to stdout.
    Mesh,
    /// A key for `sextant backup --key-file`, to stdout.
    Backup,
}

/// Prints it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let random = Random::from_os();
    match args.kind {
        Kind::Token => {
            let token = token(&random);
            eprintln!("sha256: {}", TokenHash::of(&token).hex());
            println!("{token}");
        }
        Kind::Webhook => println!("{}", webhook(&random)),
        Kind::Mesh => println!("{}", mesh(&random)),
        Kind::Backup => println!("{}", collector::backup::Key::text(random.bytes())),
    }
    Ok(())
}

/// A probe's token: a recognisable prefix and 256 random bits.
pub fn token(random: &Random) -> String {
    let hex: String = random.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sxt_{hex}")
}

/// A Standard Webhooks key of 256 random bits.
pub fn webhook(random: &Random) -> String {
    format!("whsec_{}", STANDARD.encode(random.bytes::<32>()))
}

/// A key of the mesh of 256 random bits.
pub fn mesh(random: &Random) -> String {
    format!("mesh_{}", STANDARD.encode(random.bytes::<32>()))
}
