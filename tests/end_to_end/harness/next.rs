//! The binary of the next versions (`tests/next`), which no other package's tests can name.

use anyhow::{Context, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Builds it, once for all tests, and says where it is.
pub fn binary() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone().map_err(anyhow::Error::msg)
}

fn build() -> anyhow::Result<PathBuf> {
    // Where our own binary is: `<target>/<profile>/sextant`.
    let ours = Path::new(env!("CARGO_BIN_EXE_sextant"));
    let folder = ours.parent().context("a folder of a profile")?;
    let target = folder.parent().context("a target folder")?;
    let profile = folder.file_name().and_then(|name| name.to_str()).context("a profile")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "sextant-next", "--locked", "--quiet"]);
    cargo.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
    cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo sets for tests would make it build libraries anew.
    cargo.env_remove("LD_LIBRARY_PATH");
    let built = cargo.output()?;
    ensure!(built.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&built.stderr));
    Ok(folder.join("sextant-next"))
}
