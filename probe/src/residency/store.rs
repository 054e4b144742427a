//! The files of kept evidence. Blocks on the disk.

use super::record::{self, HEADER, Record};
use crate::atomic_file;
use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};
use tracing::{error, warn};
use wire::Micros;

/// A file is not written to any more when it has grown to this, or to a sixteenth of what all may have, bytes.
const FILE_BYTES: u64 = 1 << 20;
/// Of the age that nothing may outlive, the part that one file may span: files are deleted as a whole, by their first
/// record, so the last ones go that much earlier.
const SPAN: u32 = 16;
/// The most files, however small: each start after a damage begins a new one.
const FILES_MOST: usize = 256;

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most disk, bytes; the oldest goes first.
    pub bytes: u64,
    /// Nothing is kept for longer.
    pub age: Duration,
}

impl Default for Limits {
    /// 64 MiB, about 40 000 pieces of evidence, and 30 days.
    fn default() -> Limits {
        Limits { bytes: 64 << 20, age: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// The kept evidence of one probe. Its folder is made when there is something to keep.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    limits: Limits,
    /// Oldest first.
    files: VecDeque<Kept>,
    /// Open for appending to the last file.
    active: Option<File>,
}

#[derive(Debug)]
struct Kept {
    /// When it was begun, which is its name; microseconds.
    first: i64,
    size: u64,
}

impl Store {
    /// Looks at what is there.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn open(folder: PathBuf, limits: Limits) -> io::Result<Store> {
        let mut files = Vec::new();
        for (first, path) in list_files(&folder)? {
            files.push(Kept { first, size: fs::metadata(&path)?.len() });
        }
        let mut store = Store { folder, limits, files: files.into(), active: None };
        store.reopen()?;
        Ok(store)
    }

    /// Goes on with the last file, if all of it can be read: after a cut-off write nobody could read what is behind it.
    fn reopen(&mut self) -> io::Result<()> {
        let Some(last) = self.files.back() else { return Ok(()) };
        let path = path(&self.folder, last.first);
        if record::scan(&fs::read(&path)?).whole {
            self.active = Some(File::options().append(true).open(&path)?);
        } else {
            warn!(file = %path.display(), "a file of kept evidence is damaged; what can be read of it stays");
        }
        Ok(())
    }

    /// Keeps records: when this returns they survive a power failure.
    ///
    /// # Errors
    /// When the disk refuses; then none of them counts as kept, though some may be there.
    pub fn keep(&mut self, records: &[Record], now: Micros) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in records {
            match record.encode() {
                Some(encoded) => bytes.extend(encoded),
                None => error!(check = %record.check, "evidence is too large to be kept: please report it"),
            }
        }
        self.expire(now);
        self.make_room(bytes.len() as u64);
        if self.is_full(now) || self.active.is_none() {
            self.begin(now)?;
        }
        let (Some(last), Some(file)) = (self.files.back_mut(), &mut self.active) else {
            unreachable!("begun above when there was none")
        };
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            // What of it was written nobody knows.
            self.active = None;
            return Err(error);
        }
        last.size += bytes.len() as u64;
        Ok(())
    }

    /// Deletes what has reached the age.
    pub fn expire(&mut self, now: Micros) {
        let age = i64::try_from(self.limits.age.as_micros()).unwrap_or(i64::MAX);
        // A file of a future that far is one of a clock that was wrong.
        let over = |kept: &Kept| now.0.saturating_sub(kept.first).saturating_abs() >= age;
        let (old, stay): (Vec<_>, Vec<_>) = self.files.drain(..).partition(over);
        let last = stay.last().map(|kept: &Kept| kept.first);
        if old.iter().any(|kept| last.is_none_or(|last| kept.first > last)) {
            self.active = None;
        }
        self.files = stay.into();
        old.iter().for_each(|kept| self.delete(kept));
    }

    /// The disk that is taken, bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|kept| kept.size).sum()
    }

    fn make_room(&mut self, more: u64) {
        while self.bytes().saturating_add(more) > self.limits.bytes || self.files.len() >= FILES_MOST {
            let Some(oldest) = self.files.pop_front() else { return };
            if self.files.is_empty() {
                self.active = None;
            }
            self.delete(&oldest);
        }
    }

    fn is_full(&self, now: Micros) -> bool {
        let span = i64::try_from((self.limits.age / SPAN).as_micros()).unwrap_or(i64::MAX);
        let most = FILE_BYTES.min(self.limits.bytes / u64::from(SPAN));
        self.files
            .back()
            .is_none_or(|last| last.size >= most || now.0.saturating_sub(last.first).saturating_abs() >= span)
    }

    fn begin(&mut self, now: Micros) -> io::Result<()> {
        self.active = None;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // Two within a microsecond, or a clock that was set back: names grow all the same.
        let last = self.files.back().map_or(0, |last| last.first.saturating_add(1));
        let first = now.0.max(last).max(0);
        let path = path(&self.folder, first);
        let mut file = File::options().append(true).create_new(true).mode(0o600).open(&path)?;
        self.files.push_back(Kept { first, size: HEADER as u64 });
        file.write_all(&record::header())?;
        atomic_file::sync_folder(&self.folder)?;
        self.active = Some(file);
        Ok(())
    }

    fn delete(&self, kept: &Kept) {
        let path = path(&self.folder, kept.first);
        if let Err(error) = fs::remove_file(&path) {
            warn!(%error, file = %path.display(), "a file of kept evidence cannot be deleted");
        }
    }
}

fn path(folder: &Path, first: i64) -> PathBuf {
    folder.join(format!("{first:020}.evidence"))
}

/// The files in order, by when they were begun; none where there is no folder. Files with other names are not ours.
pub(super) fn list_files(folder: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let number = |name: &OsStr| -> Option<i64> {
        let first: i64 = name.to_str()?.strip_suffix(".evidence")?.parse().ok()?;
        (first >= 0 && path(folder, first).file_name() == Some(name)).then_some(first)
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        files.extend(number(&entry.file_name()).map(|first| (first, entry.path())));
    }
    files.sort_unstable();
    Ok(files)
}
