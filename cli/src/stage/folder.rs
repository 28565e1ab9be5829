//! Folders of a played ceremony: the one its results go to, and the one it works in.
//!
//! Guarantees: a folder that an earlier run of the same command did not make is never changed. One that it did
//! make has a
//! marker file, and is replaced only when the new results are complete. The working folder is for
//! this user alone and is removed at the end, with every key in it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::mkdtemp;

use crate::failure::Failure;
use crate::files;

/// Which command makes a folder of results, and says so in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Demo,
    Rehearsal,
}

impl Maker {
    /// A file that says who made the folder. Nothing else has this name by accident.
    const fn marker(self) -> &'static str {
        match self {
            Self::Demo => ".quorate-demo",
            Self::Rehearsal => ".quorate-rehearsal",
        }
    }

    /// What stands in it.
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Demo => {
                b"Made by `quorate demo`, which replaces this folder when it runs again.\n"
            }
            Self::Rehearsal => {
                b"Made by `quorate ceremony rehearse`, which replaces this folder when it runs \
                  again.\n"
            }
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Demo => "a demo",
            Self::Rehearsal => "a rehearsal",
        }
    }
}

/// Where the results will be: a place that is free, or that an earlier run took.
pub(crate) struct Out {
    path: PathBuf,
    maker: Maker,
}

impl Out {
    /// Checks the place before anything is done.
    pub(crate) fn check(path: &Path, maker: Maker) -> Result<Self, Failure> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(found) if found.is_dir() && marked(path, maker) => {}
            Ok(_) => {
                return Err(Failure::usage(
                    "out-not-ours",
                    format!(
                        "{} exists and was not made by {}",
                        path.display(),
                        maker.words()
                    ),
                    "name another place with --out, or move it away",
                ));
            }
            Err(error) => return Err(files::unwritable(path, &error)),
        }
        if path.file_name().is_none() {
            return Err(Failure::usage(
                "out-not-ours",
                format!("{} is no name for a new folder", path.display()),
                "name a new folder with --out",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            maker,
        })
    }

    /// Where the results will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the results in place: all files, or none.
    pub(crate) fn publish(&self, results: &[(String, Vec<u8>)]) -> Result<(), Failure> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let parent = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(parent).map_err(|error| files::unwritable(parent, &error))?;
        let staged = parent.join(format!(".{name}.{}", std::process::id()));
        // What is there under that name is somebody else's, and stays.
        fs::create_dir(&staged).map_err(|error| files::unwritable(&staged, &error))?;
        let published = stage(&staged, self.maker, results).and_then(|()| self.replace(&staged));
        if published.is_err() {
            // The first failure is the one to tell.
            let _ = fs::remove_dir_all(&staged);
        }
        published
    }

    fn replace(&self, staged: &Path) -> Result<(), Failure> {
        // Again, because time has passed since the first look.
        Self::check(&self.path, self.maker)?;
        match fs::remove_dir_all(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(files::unwritable(&self.path, &error)),
        }
        fs::rename(staged, &self.path).map_err(|error| files::unwritable(&self.path, &error))
    }
}

fn marked(path: &Path, maker: Maker) -> bool {
    let marker = path.join(maker.marker());
    fs::symlink_metadata(&marker).is_ok_and(|found| found.is_file())
        && fs::read(&marker).is_ok_and(|text| text == maker.text())
}

fn stage(staged: &Path, maker: Maker, results: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    files::write_new(&staged.join(maker.marker()), maker.text())?;
    results.iter().try_for_each(|(name, bytes)| {
        let path = staged.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| files::unwritable(folder, &error))?;
        }
        files::write_new(&path, bytes)
    })
}

/// Largest file of the shared folder that is copied, in bytes.
pub(crate) const FILE_MAX: usize = 8 * 1024 * 1024;

/// Reads a folder of the ceremony, whatever is in it.
pub(crate) fn copy(
    folder: &Path,
    name: &str,
    files: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), Failure> {
    let unreadable = |error| files::unwritable(folder, &error);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            copy(&entry.path(), &inner, files)?;
        } else if kind.is_file() {
            files.push((
                inner,
                files::read(&entry.path(), FILE_MAX, "file of the ceremony")?,
            ));
        }
    }
    Ok(())
}

/// Longest path of the folder a workshop is made in, in bytes. A socket's path has at most 107:
/// `/quorate-XXXXXX/nitro/instance/port-4294967295.sock` must fit behind it.
const PARENT_MAX: usize = 56;

/// Whether no program may be executed there. Where that cannot be known, it is tried.
fn forbids_programs(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| found.flags().contains(FsFlags::ST_NOEXEC))
}

/// The folder a played ceremony works in. Removed when dropped.
pub(crate) struct Workshop(PathBuf);

impl Workshop {
    /// Makes one, in the first place that will do: the enclaves' sockets must fit their paths, and
    /// the inits in it must be executable. A session's variables may outlive the session, or name
    /// another user's folder.
    pub(crate) fn new() -> Result<Self, Failure> {
        let places = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .into_iter()
            .chain([std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()]);
        Self::within(places)
    }

    fn within(places: impl Iterator<Item = PathBuf>) -> Result<Self, Failure> {
        let mut failure = None;
        for parent in places.filter(|parent| parent.is_absolute()) {
            let unfit = |why: &str| {
                let error = io::Error::other(why);
                files::unwritable(&parent, &error)
            };
            let made = if parent.as_os_str().len() > PARENT_MAX {
                Err(unfit("its path is too long for sockets in it"))
            } else if forbids_programs(&parent) {
                Err(unfit("it is mounted noexec, and inits run in it"))
            } else {
                mkdtemp(&parent.join("quorate-XXXXXX"))
                    .map(Self)
                    .map_err(|errno| files::unwritable(&parent, &errno.into()))
            };
            match made {
                Ok(workshop) => return Ok(workshop),
                // The first place is the one the person chose.
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| {
            let nowhere = io::Error::from(ErrorKind::NotFound);
            files::unwritable(Path::new("/tmp"), &nowhere)
        }))
    }

    /// A path inside it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What cannot be removed is in a folder for this user alone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(text: &str) -> Vec<(String, Vec<u8>)> {
        vec![
            ("evidence.cbor".into(), text.as_bytes().to_vec()),
            ("ceremony/definition.cbor".into(), b"d".to_vec()),
        ]
    }

    #[test]
    fn results_of_an_earlier_demo_are_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        Out::check(&path, Maker::Demo)
            .and_then(|out| out.publish(&results("one")))
            .expect("published");
        fs::write(path.join("old"), "old").expect("a file");
        Out::check(&path, Maker::Demo)
            .and_then(|out| out.publish(&results("two")))
            .expect("published");
        assert_eq!(
            fs::read(path.join("evidence.cbor")).expect("evidence"),
            b"two"
        );
        assert!(path.join("ceremony/definition.cbor").is_file());
        assert!(!path.join("old").exists());
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn a_folder_of_somebody_else_fails_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("precious"), "p").expect("a file");
        let refused = |path: &Path| {
            Out::check(path, Maker::Demo)
                .map(|_| ())
                .expect_err("refused")
                .code
        };
        assert_eq!(refused(&path), "out-not-ours");
        fs::write(path.join(Maker::Demo.marker()), "something else").expect("a file");
        assert_eq!(refused(&path), "out-not-ours");
        // What another command made is not this one's to replace.
        fs::write(
            path.join(Maker::Rehearsal.marker()),
            Maker::Rehearsal.text(),
        )
        .expect("a file");
        assert_eq!(refused(&path), "out-not-ours");
        assert_eq!(refused(&path.join("precious")), "out-not-ours");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert_eq!(refused(&link), "out-not-ours");
        assert_eq!(refused(Path::new("/")), "out-not-ours");
        assert_eq!(refused(Path::new("..")), "out-not-ours");
        assert!(path.join("precious").exists());
    }

    /// Somebody makes the folder while the demo runs.
    #[test]
    fn a_folder_that_appears_meanwhile_fails_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let out = Out::check(&path, Maker::Demo)
            .map_err(|failure| failure.what)
            .expect("free");
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("precious"), "p").expect("a file");
        assert_eq!(
            out.publish(&results("one")).expect_err("refused").code,
            "out-not-ours"
        );
        assert!(path.join("precious").exists());
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    /// What is left of a demo that was killed, or is somebody else's, is not removed either.
    #[test]
    fn a_folder_where_results_are_prepared_fails_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let staged = folder.path().join(format!(".out.{}", std::process::id()));
        fs::create_dir(&staged).expect("a folder");
        fs::write(staged.join("precious"), "p").expect("a file");
        let out = Out::check(&path, Maker::Demo)
            .map_err(|failure| failure.what)
            .expect("free");
        assert_eq!(
            out.publish(&results("one")).expect_err("refused").code,
            "file-unwritable"
        );
        assert!(staged.join("precious").exists());
    }

    #[test]
    fn a_workshop_is_made_where_it_can_be() {
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        let good = folder.path().to_owned();
        let long = good.join("l".repeat(PARENT_MAX));
        fs::create_dir(&long).expect("a folder");
        let gone = good.join("gone");
        let places = [PathBuf::from("relative"), gone.clone(), long, good.clone()];
        let workshop = Workshop::within(places.into_iter())
            .map_err(|failure| failure.what)
            .expect("a workshop");
        assert_eq!(workshop.0.parent(), Some(good.as_path()));
        let failure = Workshop::within([gone.clone(), good.join("also")].into_iter())
            .map(drop)
            .expect_err("nowhere");
        assert!(failure.what.contains(&gone.display().to_string()));
    }

    #[test]
    fn the_workshop_is_private_and_leaves_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let workshop = Workshop::new()
            .map_err(|failure| failure.what)
            .expect("a workshop");
        let path = workshop.0.clone();
        let mode = fs::metadata(&path)
            .expect("the folder")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(workshop.join("key"), "k").expect("a file");
        drop(workshop);
        assert!(!path.exists());
    }
}
