//! Where an archive goes and comes from: a file that is there as a whole or not at all, or a pipe.

use super::{
    destination::{self, Destination},
    format::{MAGIC, VERSION},
    read::{Archive, Corrupt},
    sealed::{Key, Opener, SALT, Sealer},
};
use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Why there is no place for an archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Destination(#[from] destination::Error),
    #[error("another backup writes to {0} at this moment: wait for it, or choose another file")]
    Busy(PathBuf),
    #[error("cannot read the key in {path}: it must be a file that this user can read")]
    KeyFile { path: PathBuf, source: io::Error },
    #[error(
        "{0} does not hold a key of backups: it must be `backup_` and the base64 of 32 random bytes; `sextant secret backup` makes one"
    )]
    NotAKey(PathBuf),
}

/// Reads a key from its file.
///
/// # Errors
/// When it cannot be read or is none. What it holds is not repeated.
pub fn key(path: &Path) -> Result<Key, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::KeyFile { path: path.to_owned(), source })?;
    Key::parse(&text).ok_or_else(|| Error::NotAKey(path.to_owned()))
}

/// An archive in the making: nobody finds it under its own name before it is complete and on the disk. Dropped before
/// that, it is removed.
#[derive(Debug)]
pub struct Output {
    /// Locked, so that two backups never write to one file.
    file: File,
    path: PathBuf,
    /// Its name until it is complete; none for a device or a pipe.
    partial: Option<PathBuf>,
}

/// A write that failed, of the path that was named.
fn failed(path: &Path, source: io::Error) -> Error {
    Error::Destination(destination::Error::Write { path: path.to_owned(), source })
}

impl Output {
    /// Begins to write to `path` with `.partial` behind it, readable for this user only. What an interrupted backup left
    /// there is overwritten. A link is followed; a device or a pipe takes the bytes as they come.
    ///
    /// # Errors
    /// When it cannot be written or another process does.
    pub fn create(path: &Path) -> Result<Output, Error> {
        let failed = |source| failed(path, source);
        let path = match Destination::of(path)? {
            Destination::File(path) => path,
            Destination::Stream(file) => return Ok(Output { file, path: path.to_owned(), partial: None }),
        };
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&partial)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(path)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let output = Output { file, path: path.clone(), partial: Some(partial) };
        output.file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        output.file.set_len(0).map_err(failed)?;
        Ok(output)
    }

    /// Where its bytes go.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name, once all of it is on the disk. An older archive of that name is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), Error> {
        let failed = |source| failed(&self.path, source);
        let Some(partial) = &self.partial else { return Ok(()) };
        self.file.sync_all().map_err(failed)?;
        fs::rename(partial, &self.path).map_err(failed)?;
        self.partial = None;
        sync_folder(&self.path).map_err(|source| self::failed(&self.path, source))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // It is no use to anybody, and the next backup overwrites it.
            let _ = fs::remove_file(partial);
        }
    }
}

/// Makes the name of a file last: a rename is an entry of the folder.
///
/// # Errors
/// When the folder cannot be synced.
pub fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = match of.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// The stream behind the first bytes of an archive that is written.
#[derive(Debug)]
pub enum Out<W: Write> {
    Plain(BufWriter<W>),
    Sealed(Box<Sealer<BufWriter<W>>>),
}

impl<W: Write> Out<W> {
    /// Writes the first bytes. With a key and a salt that nobody used before, what follows is encrypted.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn begin(out: W, key: Option<(&Key, [u8; SALT])>) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 18, out);
        match key {
            Some((key, salt)) => Ok(Out::Sealed(Box::new(Sealer::new(out, key, &salt)?))),
            None => {
                out.write_all(&[&MAGIC[..], &[VERSION, 0]].concat())?;
                Ok(Out::Plain(out))
            }
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Out::Plain(mut out) => out.flush(),
            Out::Sealed(sealer) => sealer.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(out) => out.write(bytes),
            Out::Sealed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(out) => out.flush(),
            Out::Sealed(out) => out.flush(),
        }
    }
}

/// The stream behind the first bytes of an archive that is read.
#[derive(Debug)]
pub enum In<R: Read> {
    Plain(BufReader<R>),
    Sealed(Box<Opener<BufReader<R>>>),
}

impl<R: Read> Read for In<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            In::Plain(from) => from.read(into),
            In::Sealed(from) => from.read(into),
        }
    }
}

/// Opens an archive, with its key when it is encrypted.
///
/// # Errors
/// When it is none of ours, or the key is missing or not the one.
pub fn open<R: Read>(from: R, key: Option<&Key>) -> Result<Archive<In<R>>, Corrupt> {
    let mut from = BufReader::with_capacity(1 << 18, from);
    let mut magic = [0; MAGIC.len()];
    match from.read_exact(&mut magic) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Corrupt::NotOurs),
        read => read?,
    }
    if magic != MAGIC {
        return Err(Corrupt::NotOurs);
    }
    let mut form = [0; 2];
    from.read_exact(&mut form)?;
    let stream = match (form, key) {
        ([version, _], _) if version != VERSION => return Err(Corrupt::Newer(version)),
        ([_, 0], None) => In::Plain(from),
        ([_, 0], Some(_)) => return Err(Corrupt::NotSealed),
        ([_, 1], None) => return Err(Corrupt::NeedsKey),
        ([version, 1], Some(key)) => {
            let mut salt = [0; SALT];
            from.read_exact(&mut salt)?;
            In::Sealed(Box::new(Opener::new(from, key, version, &salt)))
        }
        _ => return Err(Corrupt::Damaged("its first bytes cannot be")),
    };
    let sealed = matches!(stream, In::Sealed(_));
    Archive::new(stream, sealed)
}
