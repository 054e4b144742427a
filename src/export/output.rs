//! Where an export goes: a file that appears when it is whole, a device or a pipe, or stdout.

use crate::exit::NobodyReads;
use anyhow::Context;
use collector::backup::destination::Destination;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A destination. Dropped without [`Output::finish`], it leaves nothing behind.
pub enum Output {
    Stdout,
    /// A device or a pipe, which takes what comes.
    Stream(File),
    /// The file in the making and the one that it becomes.
    File(Part, PathBuf),
}

/// A file in the making, removed when it is dropped.
pub struct Part(PathBuf);

impl Output {
    /// Makes the file beside the one that it becomes; opens what is no file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> anyhow::Result<Output> {
        if path.as_os_str() == "-" {
            return Ok(Output::Stdout);
        }
        let path = match Destination::of(path)? {
            Destination::Stream(file) => return Ok(Output::Stream(file)),
            Destination::File(path) => path,
        };
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        // Runs and evidence are for their owner: people who export decide who else reads them.
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(&part)
            .with_context(|| format!("cannot write {}: look whether its folder is there", part.display()))?;
        Ok(Output::File(Part(part), path))
    }

    /// What to write to.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn writer(&self) -> io::Result<Box<dyn Write + Send>> {
        Ok(match self {
            Output::File(part, _) => Box::new(BufWriter::new(File::options().write(true).open(&part.0)?)),
            Output::Stream(file) => Box::new(BufWriter::new(file.try_clone()?)),
            Output::Stdout => Box::new(BufWriter::new(NobodyReads::told_by(io::stdout()))),
        })
    }

    /// Gives the file its name, once everything is on the disk.
    ///
    /// # Errors
    /// When that fails.
    pub fn finish(self) -> anyhow::Result<()> {
        let Output::File(part, path) = &self else { return Ok(()) };
        File::open(&part.0)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&part.0, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Half a file helps nobody; when it cannot be removed, its name says what it is. A finished one has another name.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, symlink};

    fn write(path: &Path, text: &str) -> anyhow::Result<()> {
        let output = Output::create(path)?;
        let mut writer = output.writer()?;
        writer.write_all(text.as_bytes())?;
        writer.flush()?;
        output.finish()
    }

    #[test]
    fn a_link_stays_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file.csv"), folder.path().join("link.csv"));
        symlink("file.csv", &link).expect("made");
        for text in ["first", "second"] {
            write(&link, text).expect("written");
            assert_eq!(fs::read_to_string(&file).expect("a file"), text);
            assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        }
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2, "nothing else is left");
    }

    #[test]
    fn a_pipe_and_a_device_take_the_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe)
        });
        write(&pipe, "through").expect("written");
        assert_eq!(reader.join().expect("it ends").expect("read"), "through");
        assert!(fs::symlink_metadata(&pipe).expect("a pipe").file_type().is_fifo());

        write(Path::new("/dev/null"), "away").expect("written");
        let full = write(Path::new("/dev/full"), "too much").expect_err("no room").to_string();
        assert!(full.to_lowercase().contains("no space"), "{full}");
        for device in ["/dev/null", "/dev/full"] {
            assert!(fs::metadata(device).expect("a device").file_type().is_char_device(), "{device}");
        }
    }
}
