//! The archive format of ramdisks: cpio in the "new ASCII" form, as Linux unpacks it.
//!
//! Source: the kernel's documentation, `driver-api/early-userspace/buffer-format`. An archive is a
//! row of entries, each a header of 110 characters, a name and content, padded to four bytes, and
//! ends with the entry `TRAILER!!!`. A ramdisk may hold several, with zero bytes between.
//!
//! Guarantees: [`Archive::to_bytes`] depends on the entries alone: owner 0, time 0, device numbers 0,
//! inode numbers counted from 1, entries sorted by path, each folder before what is in it. [`entries`]
//! borrows from the bytes it reads, takes no more memory than they are long, refuses what the kernel
//! would read otherwise or not at all, and never panics.
//!
//! Does not: unpack, and it does not resolve names; a path is what the archive says. Hard links are
//! read as the entries they are and never written. The form with checksums (070702) is not read.

use std::collections::BTreeMap;

use thiserror::Error;

/// Most entries that are read from one ramdisk.
pub const MAX_ENTRIES: usize = 1 << 18;
/// Longest name, with the zero byte behind it: the kernel's PATH_MAX.
pub const MAX_NAME: usize = 4096;

/// Characters of an entry's header.
const HEADER: usize = 110;
const MAGIC: &[u8; 6] = b"070701";
const TRAILER: &[u8] = b"TRAILER!!!";
/// The bits of a mode that say what kind of file it is.
const KIND: u32 = 0o170_000;
/// The bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o7777;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A device that is read and written as a stream.
    CharacterDevice {
        /// Its number.
        major: u32,
        /// Its number.
        minor: u32,
    },
    /// A folder.
    Directory,
    /// A file with its content.
    File(Vec<u8>),
    /// A symbolic link to a path.
    Symlink(String),
}

/// Why an archive cannot be written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The folder a path is in is not in the archive.
    #[error("{path} is in a folder that is not in the archive: add the folder first")]
    NoParent {
        /// The path.
        path: String,
    },
    /// Not a path that means one thing.
    #[error("{path:?} is not a relative path of plain names, at most 4095 bytes long")]
    Path {
        /// The path.
        path: String,
    },
    /// Permissions beyond the twelve bits.
    #[error("{path} has permissions {permissions:o}; at most 7777")]
    Permissions {
        /// The path.
        path: String,
        /// The permissions.
        permissions: u32,
    },
    /// A path was added twice.
    #[error("{path} was added before")]
    Twice {
        /// The path.
        path: String,
    },
    /// Content the format has no room for.
    #[error("{path} has 4 GiB or more; the format has 32 bits for a size")]
    TooLarge {
        /// The path.
        path: String,
    },
}

/// An archive to be written.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    entries: BTreeMap<String, (u32, Node)>,
}

impl Archive {
    /// An archive without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one entry, with permissions such as `0o755`, owned by user and group 0.
    ///
    /// # Errors
    /// If the path is not relative and plain, was added before, or is in no folder that was added.
    pub fn add(&mut self, path: &str, permissions: u32, node: Node) -> Result<(), WriteError> {
        let owned = || path.to_owned();
        let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        let is_path = path.len() < MAX_NAME && path.split('/').all(plain);
        if !is_path || path.as_bytes() == TRAILER {
            return Err(WriteError::Path { path: owned() });
        }
        if permissions > PERMISSIONS {
            return Err(WriteError::Permissions {
                path: owned(),
                permissions,
            });
        }
        let content = match &node {
            Node::File(content) => content.len(),
            Node::Symlink(target) if target.is_empty() || target.contains('\0') => {
                return Err(WriteError::Path { path: owned() });
            }
            Node::Symlink(target) if target.len() >= MAX_NAME => {
                return Err(WriteError::Path { path: owned() });
            }
            Node::Symlink(target) => target.len(),
            Node::CharacterDevice { .. } | Node::Directory => 0,
        };
        if u32::try_from(content).is_err() {
            return Err(WriteError::TooLarge { path: owned() });
        }
        if let Some((parent, _)) = path.rsplit_once('/')
            && !matches!(self.entries.get(parent), Some((_, Node::Directory)))
        {
            return Err(WriteError::NoParent { path: owned() });
        }
        if self.entries.contains_key(path) {
            return Err(WriteError::Twice { path: owned() });
        }
        self.entries.insert(owned(), (permissions, node));
        Ok(())
    }

    /// The archive's bytes; their number is a multiple of four.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (inode, (path, (permissions, node))) in (1..).zip(&self.entries) {
            let (kind, links, content, device): (u32, u32, &[u8], _) = match node {
                Node::CharacterDevice { major, minor } => (0o020_000, 1, &[], (*major, *minor)),
                Node::Directory => (0o040_000, 2, &[], (0, 0)),
                Node::File(content) => (0o100_000, 1, content, (0, 0)),
                Node::Symlink(target) => (0o120_000, 1, target.as_bytes(), (0, 0)),
            };
            let mode = kind | permissions;
            put(
                &mut bytes,
                path.as_bytes(),
                inode,
                mode,
                links,
                content,
                device,
            );
        }
        put(&mut bytes, TRAILER, 0, 0, 1, &[], (0, 0));
        bytes
    }
}

/// Writes one entry.
fn put(
    bytes: &mut Vec<u8>,
    name: &[u8],
    inode: u32,
    mode: u32,
    links: u32,
    content: &[u8],
    (major, minor): (u32, u32),
) {
    // Both lengths were checked when the entry was added.
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let name_size = u32::try_from(name.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    bytes.extend_from_slice(MAGIC);
    // Inode, mode, user, group, links, time, size, device of the file system, device, name, sum.
    for field in [
        inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0,
    ] {
        bytes.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    bytes.extend_from_slice(name);
    bytes.push(0);
    pad(bytes);
    bytes.extend_from_slice(content);
    pad(bytes);
}

fn pad(bytes: &mut Vec<u8>) {
    let length = bytes.len().next_multiple_of(4);
    bytes.resize(length, 0);
}

/// One entry of an archive that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The path, as the archive has it: any bytes but zero, perhaps absolute, perhaps with `..`.
    pub name: &'a [u8],
    /// Kind and permissions, as `stat` has them.
    pub mode: u32,
    /// Inode number: entries with one number and more than one link are one file.
    pub inode: u32,
    /// User and group that own it.
    pub owner: (u32, u32),
    /// Number of links.
    pub links: u32,
    /// When it was changed, in seconds since 1970.
    pub modified: u32,
    /// Number of the device it is, if it is one.
    pub device: (u32, u32),
    /// Content of a file, target of a symbolic link, else nothing.
    pub content: &'a [u8],
}

impl Entry<'_> {
    /// What it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self.mode & KIND {
            0o010_000 => "pipe",
            0o020_000 => "character device",
            0o040_000 => "folder",
            0o060_000 => "block device",
            0o100_000 => "file",
            0o120_000 => "symbolic link",
            0o140_000 => "socket",
            _ => "unknown kind",
        }
    }
}

/// Why bytes are not a row of cpio archives.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// Not the beginning of an entry.
    #[error("at byte {position} there is neither an entry (070701) nor padding")]
    Magic {
        /// Where.
        position: usize,
    },
    /// A field of the header is not a number.
    #[error("at byte {position} a header's field is not eight hexadecimal digits")]
    Number {
        /// Where.
        position: usize,
    },
    /// A name is empty, too long, not ended by its one zero byte.
    #[error(
        "at byte {position} a name is empty, longer than 4095 bytes, or ends at another byte than its header says"
    )]
    Name {
        /// Where.
        position: usize,
    },
    /// Padding that is not zero.
    #[error("at byte {position} padding is not zero")]
    Padding {
        /// Where.
        position: usize,
    },
    /// The end mark has content.
    #[error("at byte {position} the end mark has content")]
    Trailer {
        /// Where.
        position: usize,
    },
    /// The bytes end inside an entry or before an archive's end mark.
    #[error("the archive ends at byte {length}, inside an entry or before its end mark")]
    Truncated {
        /// How many bytes there are.
        length: usize,
    },
    /// More entries than are read.
    #[error("more than {MAX_ENTRIES} entries")]
    TooMany,
}

/// The entries of all archives in a ramdisk, in order, without the end marks.
///
/// # Errors
/// The first thing that is not as the format has it.
pub fn entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>, ReadError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut found = Vec::new();
    // Inside an archive: an entry was read and no end mark since.
    let mut open = false;
    loop {
        if !open {
            cursor.skip_zeros();
            if cursor.rest().is_empty() {
                break;
            }
        }
        let position = cursor.at;
        let entry = cursor.entry()?;
        if entry.name == TRAILER {
            if !entry.content.is_empty() {
                return Err(ReadError::Trailer { position });
            }
            open = false;
        } else if found.len() == MAX_ENTRIES {
            return Err(ReadError::TooMany);
        } else {
            open = true;
            found.push(entry);
        }
    }
    Ok(found)
}

/// Whether these bytes begin as an archive does.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Archives may be apart by zeros; the kernel takes the next at a multiple of four only.
    fn skip_zeros(&mut self) {
        let rest = self.rest();
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        self.at = self.at.saturating_add(zeros);
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let part = self.rest().get(..length).ok_or(ReadError::Truncated {
            length: self.bytes.len(),
        })?;
        self.at = self.at.saturating_add(length);
        Ok(part)
    }

    fn padding(&mut self) -> Result<(), ReadError> {
        let position = self.at;
        let length = self.at.next_multiple_of(4).saturating_sub(self.at);
        match self.take(length)?.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(ReadError::Padding { position }),
        }
    }

    fn entry(&mut self) -> Result<Entry<'a>, ReadError> {
        let position = self.at;
        if !position.is_multiple_of(4)
            || !MAGIC.starts_with(self.rest().get(..6).unwrap_or(self.rest()))
        {
            return Err(ReadError::Magic { position });
        }
        let header = self.take(HEADER)?;
        let mut fields = header.get(MAGIC.len()..).unwrap_or_default();
        let mut number = || -> Result<u32, ReadError> {
            let (digits, rest) = fields.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
            let value = hexadecimal(digits).ok_or(ReadError::Number {
                position: position.saturating_add(HEADER).saturating_sub(fields.len()),
            });
            fields = rest;
            value
        };
        let (inode, mode) = (number()?, number()?);
        let owner = (number()?, number()?);
        let (links, modified, size) = (number()?, number()?, number()?);
        let _file_system = (number()?, number()?);
        let device = (number()?, number()?);
        let (name_size, _sum) = (number()?, number()?);
        let position = self.at;
        let name_size = usize::try_from(name_size).unwrap_or(usize::MAX);
        if !(2..=MAX_NAME).contains(&name_size) {
            return Err(ReadError::Name { position });
        }
        let name = match self.take(name_size)?.split_last() {
            Some((0, name)) if !name.contains(&0) => name,
            _ => return Err(ReadError::Name { position }),
        };
        self.padding()?;
        let content = self.take(usize::try_from(size).unwrap_or(usize::MAX))?;
        self.padding()?;
        Ok(Entry {
            name,
            mode,
            inode,
            owner,
            links,
            modified,
            device,
            content,
        })
    }
}

/// Eight hexadecimal digits of either case, and nothing else.
fn hexadecimal(digits: &[u8; 8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | digit)
    })
}
