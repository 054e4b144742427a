//! A small file system of its own, to fill it or to make it refuse writes. It needs the rights of root.

use anyhow::{Context, ensure};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A mounted file system; unmounted when dropped.
#[derive(Debug)]
pub struct Volume {
    folder: TempDir,
}

impl Volume {
    /// Memory that can be filled; none when this user may not mount, and the output says so.
    pub fn in_memory(mebibytes: u32) -> Option<Volume> {
        let size = format!("size={mebibytes}m");
        Volume::mounted(|path| {
            run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path))
        })
    }

    /// An ext4 in a file, whose files can be made immutable while they are open for writing.
    pub fn on_disk(mebibytes: u64) -> Option<Volume> {
        Volume::mounted(|path| {
            let image = path.with_extension("image");
            File::create(&image)?.set_len(mebibytes << 20)?;
            run(Command::new("mkfs.ext4").arg("-q").arg(&image))?;
            let mounted = run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(path));
            // The mount keeps it.
            fs::remove_file(&image)?;
            mounted
        })
    }

    fn mounted(mount: impl FnOnce(&Path) -> anyhow::Result<()>) -> Option<Volume> {
        let folder = tempfile::Builder::new().prefix("sextant-volume-").tempdir().ok()?;
        let path = folder.path().join("volume");
        match fs::create_dir(&path).map_err(Into::into).and_then(|()| mount(&path)) {
            Ok(()) => Some(Volume { folder }),
            Err(error) => {
                println!("SKIPPED: no file system can be mounted here: {error:#}");
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// Writes until nothing more fits.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut filler = File::create(self.filler())?;
        for size in [1 << 20, 4096, 1] {
            while filler.write_all(&vec![b'x'; size]).is_ok() {}
        }
        Ok(())
    }

    /// Gives the space back.
    pub fn empty(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Makes every file in a folder of it refuse writes, also by those who have it open, or take them again.
    pub fn set_immutable(&self, folder: &str, immutable: bool) -> anyhow::Result<()> {
        let flag = if immutable { "+i" } else { "-i" };
        run(Command::new("chattr").args(["-R", flag]).arg(self.path().join(folder)))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Whoever still runs there is killed by the test that ends; what is left says so.
        if let Err(error) = run(Command::new("umount").arg("--lazy").arg(self.path())) {
            eprintln!("a volume is left behind: {error:#}");
        }
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
