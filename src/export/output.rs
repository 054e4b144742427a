//! Where an export goes: a file that appears when it is whole, or stdout.

use crate::exit::NobodyReads;
use anyhow::Context;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A destination. Dropped without [`Output::finish`], it leaves nothing behind.
pub struct Output {
    /// The file in the making and the one that it becomes; none for stdout.
    files: Option<(PathBuf, PathBuf)>,
}

impl Output {
    /// Makes the file beside the one that it becomes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> anyhow::Result<Output> {
        if path.as_os_str() == "-" {
            return Ok(Output { files: None });
        }
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        // Runs and evidence are for their owner: people who export decide who else reads them.
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(&part)
            .with_context(|| format!("cannot write {}: look whether its folder is there", part.display()))?;
        Ok(Output { files: Some((part, path.to_owned())) })
    }

    /// What to write to.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn writer(&self) -> io::Result<Box<dyn Write + Send>> {
        Ok(match &self.files {
            Some((part, _)) => Box::new(BufWriter::new(File::options().write(true).open(part)?)),
            None => Box::new(BufWriter::new(NobodyReads::told_by(io::stdout()))),
        })
    }

    /// Gives the file its name, once everything is on the disk.
    ///
    /// # Errors
    /// When that fails.
    pub fn finish(mut self) -> anyhow::Result<()> {
        if let Some((part, path)) = self.files.take() {
            let named =
                File::open(&part).and_then(|file| file.sync_all()).and_then(|()| fs::rename(&part, &path));
            if named.is_err() {
                // The error says what is the matter.
                let _ = fs::remove_file(&part);
            }
            named.with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.files {
            // Half a file helps nobody; when it cannot be removed, its name says what it is.
            let _ = fs::remove_file(part);
        }
    }
}
