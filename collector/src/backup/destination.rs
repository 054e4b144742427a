//! What a path means that a user names as the place of a file: the file itself, wherever links lead, or a device or pipe that
//! takes the bytes as they come.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// The most links that are followed, as the kernel has it.
const LINKS: usize = 40;

/// Where the bytes go.
#[derive(Debug)]
pub enum Destination {
    /// A regular file of this name, which is or will be there. No part of it is a link any more: it can be replaced by a rename.
    File(PathBuf),
    /// A device or a pipe, opened to be written to. It cannot be replaced, and has no earlier state to keep.
    Stream(File),
}

/// Why it is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write {0}: it is a folder; name a file in it")]
    Folder(PathBuf),
    #[error(
        "cannot write {0}: it is {1}, which is not written to; name a file, a pipe or a character device"
    )]
    Kind(PathBuf, &'static str),
    #[error(
        "cannot write {path}: look whether the folder is there, whether this user may write to it, and whether the disk is full"
    )]
    Write { path: PathBuf, source: io::Error },
}

impl Destination {
    /// Looks where a path leads. Opening a pipe waits until somebody reads from it.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn of(path: &Path) -> Result<Destination, Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        if path.file_name().is_none() {
            return Err(Error::Folder(path.to_owned()));
        }
        let kind = match fs::metadata(path) {
            Ok(there) => there.file_type(),
            // Nothing is there, or a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return end(path).map(Destination::File).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
        };
        let not = |what| Err(Error::Kind(path.to_owned(), what));
        match () {
            () if kind.is_file() => fs::canonicalize(path).map(Destination::File).map_err(failed),
            () if kind.is_dir() => Err(Error::Folder(path.to_owned())),
            () if kind.is_char_device() || kind.is_fifo() => {
                File::options().write(true).open(path).map(Destination::Stream).map_err(failed)
            }
            // Somebody's disk: a slip of the finger must not overwrite it.
            () if kind.is_block_device() => not("a block device"),
            () if kind.is_socket() => not("a socket"),
            () => not("no regular file"),
        }
    }
}

/// Follows links from a name to one that is no link, where nothing need be.
fn end(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            // An absolute one replaces the whole path.
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::symlink, net::UnixListener};

    fn file(path: &Path) -> PathBuf {
        match Destination::of(path).expect("a destination") {
            Destination::File(path) => path,
            Destination::Stream(_) => panic!("{} is a file", path.display()),
        }
    }

    #[test]
    fn links_lead_to_the_file_that_is_meant() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().canonicalize().expect("it is there").join(name);
        fs::create_dir(at("deep")).expect("made");
        fs::write(at("old"), "old").expect("written");
        symlink("old", at("link")).expect("made");
        symlink(at("link"), at("deep/link")).expect("made");
        symlink("../new", at("deep/to-new")).expect("made");
        symlink("round", at("round")).expect("made");
        assert_eq!(file(&at("new")), at("new"));
        assert_eq!(file(&at("old")), at("old"));
        assert_eq!(file(&at("link")), at("old"));
        assert_eq!(file(&at("deep/link")), at("old"));
        assert_eq!(file(&at("deep/to-new")), at("deep/../new"));
        assert_eq!(file(Path::new("some-name-that-is-not-there")), Path::new("some-name-that-is-not-there"));
        assert!(Destination::of(&at("round")).is_err());
    }

    #[test]
    fn devices_take_the_bytes_and_stay_devices() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("null");
        symlink("/dev/null", &link).expect("made");
        for path in [Path::new("/dev/null"), &link] {
            assert!(matches!(Destination::of(path), Ok(Destination::Stream(_))), "{}", path.display());
        }
    }

    #[test]
    fn what_is_neither_is_refused_and_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("bound");
        let said = |path: &Path| Destination::of(path).expect_err("refused").to_string();
        assert!(said(&socket).contains("it is a socket"), "{}", said(&socket));
        assert!(said(folder.path()).contains("it is a folder"), "{}", said(folder.path()));
        assert!(said(Path::new("/")).contains("it is a folder"));
        assert!(said(Path::new("/dev/null/x")).contains("cannot write /dev/null/x"));
    }
}
