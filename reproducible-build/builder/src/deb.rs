//! Reading a Debian package: an ar archive with a compressed tar archive in it.
//!
//! Guarantees: bounded; one pass; no maintainer script is run and none is even looked at. Paths are
//! taken from the archive's own names, placed by [`crate::root`], and never through a symbolic link
//! that the package itself brought.
//!
//! Trusts: nothing, although the digest was checked: a lock can name a wrong package.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use lzma_rust2::XzReader;

use crate::error::{Error, during};

/// Most members an ar archive may have before the data.
const MAX_MEMBERS: usize = 16;

/// Why a package cannot be read.
pub(crate) fn bad(name: &str, why: impl Into<String>) -> Error {
    Error::BadPackage {
        name: name.to_owned(),
        why: why.into(),
    }
}

/// The package's files, as a tar archive.
///
/// # Errors
/// [`Error::BadPackage`] when it is no package, or compressed in a way this tool does not know.
pub(crate) fn data(path: &Path, name: &str) -> Result<tar::Archive<Box<dyn Read>>, Error> {
    let mut file = File::open(path).map_err(during("open", path))?;
    let (kind, size) = find_data(&mut file, name)?;
    let content = BufReader::with_capacity(1 << 18, file.take(size));
    let reader: Box<dyn Read> = match kind {
        Kind::Xz => Box::new(XzReader::new(content, true)),
        Kind::Plain => Box::new(content),
    };
    Ok(tar::Archive::new(reader))
}

enum Kind {
    Plain,
    Xz,
}

/// Leaves the file at the beginning of its data member and says how long that is.
fn find_data(file: &mut File, name: &str) -> Result<(Kind, u64), Error> {
    let cut = |_: io::Error| bad(name, "it ends too early");
    let mut magic = [0; 8];
    file.read_exact(&mut magic).map_err(cut)?;
    if &magic != b"!<arch>\n" {
        return Err(bad(name, "it is no ar archive"));
    }
    for _ in 0..MAX_MEMBERS {
        // Name 16, time 12, owner 6, group 6, mode 8, size 10, end 2.
        let mut header = [0; 60];
        file.read_exact(&mut header).map_err(cut)?;
        let text = core::str::from_utf8(&header).map_err(|_| bad(name, "a header is no text"))?;
        let field = |range: core::ops::Range<usize>| text.get(range).unwrap_or_default().trim_end();
        let size: u64 = match (field(48..58).parse(), field(58..60)) {
            (Ok(size), "`") => size,
            _ => return Err(bad(name, "a header is malformed")),
        };
        match field(0..16).trim_end_matches('/') {
            "data.tar.xz" => return Ok((Kind::Xz, size)),
            "data.tar" => return Ok((Kind::Plain, size)),
            other if other.starts_with("data.tar") => {
                return Err(bad(name, format!("its files are compressed as {other:?}")));
            }
            _ => {}
        }
        let skip = i64::try_from(size + size % 2).map_err(|_| bad(name, "a member is too long"))?;
        file.seek(SeekFrom::Current(skip)).map_err(cut)?;
    }
    Err(bad(name, "it has no files"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A package with this data member.
    pub(crate) fn package(member: &str, data: &[u8]) -> Vec<u8> {
        let mut deb = b"!<arch>\n".to_vec();
        for (name, content) in [("debian-binary", &b"2.0\n"[..]), (member, data)] {
            let size = content.len();
            deb.extend(
                format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644).bytes(),
            );
            deb.extend(content);
            if size % 2 == 1 {
                deb.push(b'\n');
            }
        }
        deb
    }

    fn refusal(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.deb");
        std::fs::write(&path, bytes).unwrap();
        match data(&path, "x").map(|mut archive| archive.entries().unwrap().count()) {
            Err(Error::BadPackage { name, why }) if name == "x" => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_package_fails_closed() {
        let good = package("data.tar", b"");
        assert_eq!(refusal(b""), "it ends too early");
        assert_eq!(refusal(b"not an archive at all"), "it is no ar archive");
        assert_eq!(refusal(&good[..70]), "it ends too early");
        assert_eq!(
            refusal(&package("data.tar.zst", b"")),
            "its files are compressed as \"data.tar.zst\""
        );
        let mut odd = good;
        odd[8 + 48] = b'x';
        assert_eq!(refusal(&odd), "a header is malformed");
        let mut many = b"!<arch>\n".to_vec();
        for _ in 0..20 {
            many.extend_from_slice(&package("other", b"")[8 + 60 + 4..]);
        }
        assert_eq!(refusal(&many), "it has no files");
    }
}
