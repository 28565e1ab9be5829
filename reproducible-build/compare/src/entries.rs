//! Two ramdisks, file by file.

use std::collections::BTreeMap;

use quorate_eif::cpio::{self, Entry};

use crate::difference::{Difference, Place, Side, What, first_difference};
use crate::unpack::{Compression, UnpackError, unpack};

/// What differs between two ramdisks whose bytes differ; at least one thing.
pub(crate) fn compare(place: &Place, first: &[u8], second: &[u8]) -> Vec<Difference> {
    let offset = first_difference(first, second);
    let opaque = |side, why| {
        let what = What::Opaque { side, why, offset };
        vec![Difference::new(place.clone(), what)]
    };
    let (one, other) = match (unpack(first), unpack(second)) {
        (Ok(one), Ok(other)) => (one, other),
        // Nothing is lost where neither was ever an archive.
        (Err(UnpackError::Unknown), Err(UnpackError::Unknown)) => {
            return vec![Difference::new(place.clone(), What::bytes(first, second))];
        }
        (Err(why), _) => return opaque(Side::First, why),
        (_, Err(why)) => return opaque(Side::Second, why),
    };
    let by: (Compression, Compression) = (one.0, other.0);
    if one.1 == other.1 {
        let what = What::Compressed { by, offset };
        return vec![Difference::new(place.clone(), what)];
    }
    let entries = (cpio::entries(&one.1), cpio::entries(&other.1));
    let (files, others) = match entries {
        (Ok(files), Ok(others)) => (files, others),
        (Err(why), _) => return opaque(Side::First, why.into()),
        (_, Err(why)) => return opaque(Side::Second, why.into()),
    };
    let mut found = list(place, &files, &others);
    if found.is_empty() {
        let offset = first_difference(&one.1, &other.1);
        found.push(Difference::new(place.clone(), What::Layout { offset }));
    }
    found
}

/// Entries by path, and by how often the path stood there before.
type ByPath<'a> = BTreeMap<(&'a [u8], usize), &'a Entry<'a>>;

fn by_path<'a>(entries: &'a [Entry<'a>]) -> ByPath<'a> {
    let mut seen: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut map = ByPath::new();
    for entry in entries {
        let count = seen.entry(entry.name).or_default();
        map.insert((entry.name, *count), entry);
        *count = count.saturating_add(1);
    }
    map
}

fn list(place: &Place, files: &[Entry<'_>], others: &[Entry<'_>]) -> Vec<Difference> {
    let index = match place {
        Place::Ramdisk { index } => *index,
        _ => 0,
    };
    let at = |name: &[u8]| Place::File {
        ramdisk: index,
        path: String::from_utf8_lossy(name).into_owned(),
    };
    let (one, other) = (by_path(files), by_path(others));
    let mut found = Vec::new();
    for (key, entry) in &one {
        match other.get(key) {
            None => found.push(Difference::new(at(key.0), What::OnlyIn(Side::First))),
            Some(twin) => {
                found.extend(file(entry, twin).map(|what| Difference::new(at(key.0), what)));
            }
        }
    }
    for (name, _) in other.keys().filter(|key| !one.contains_key(*key)) {
        found.push(Difference::new(at(name), What::OnlyIn(Side::Second)));
    }
    found
}

/// The first thing that differs between two entries of one path: content first.
fn file(entry: &Entry<'_>, twin: &Entry<'_>) -> Option<What> {
    if entry.content != twin.content {
        return Some(What::bytes(entry.content, twin.content));
    }
    let pair = |(a, b): (u32, u32)| format!("{a}:{b}");
    let attributes = [
        (
            "mode",
            format!("{:o}", entry.mode),
            format!("{:o}", twin.mode),
        ),
        ("owner", pair(entry.owner), pair(twin.owner)),
        ("device", pair(entry.device), pair(twin.device)),
        (
            "time",
            entry.modified.to_string(),
            twin.modified.to_string(),
        ),
        ("links", entry.links.to_string(), twin.links.to_string()),
        ("inode", entry.inode.to_string(), twin.inode.to_string()),
    ];
    let differs = attributes.into_iter().find(|(_, a, b)| a != b);
    differs.map(|(name, a, b)| What::Attribute {
        name,
        values: (a, b),
    })
}
