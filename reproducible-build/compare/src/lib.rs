//! Where two enclave images differ, in words a person can act on.
//!
//! [`compare`] goes through two images section by section. Ramdisks are opened ([`unpack`]): where
//! both hold archives, the differences are those of their files, with the first differing byte of
//! each file that differs.
//!
//! Guarantees: two images are reported as the same only if every byte is; what is unpacked is bounded
//! ([`MAX_UNPACKED`]); each difference says whether a measurement knows of it.
//!
//! Does not: write anything, or guess why two builds differ.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod difference;
mod entries;
mod unpack;

use quorate_eif::{Eif, SectionKind};

pub use difference::{Difference, Place, Side, What};
pub use unpack::{Compression, MAX_UNPACKED, UnpackError, unpack, unpack_within};

/// Most differences that are reported.
pub const MAX_DIFFERENCES: usize = 100;

/// What differs between two images, in the order of the first's sections; nothing if their bytes are
/// the same. At most [`MAX_DIFFERENCES`].
pub fn compare(first: &Eif<'_>, second: &Eif<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    let claims = [
        (
            "architecture",
            first.architecture().to_string(),
            second.architecture().to_string(),
        ),
        (
            "suggested memory",
            first.memory().to_string(),
            second.memory().to_string(),
        ),
        (
            "suggested processors",
            first.cpus().to_string(),
            second.cpus().to_string(),
        ),
    ];
    for (name, one, other) in claims {
        if one != other {
            let values = (one, other);
            let what = What::Attribute { name, values };
            found.push(Difference::new(Place::Header, what));
        }
    }
    let numbered = |image: &Eif<'_>| -> Vec<_> {
        let mut ramdisks = 0_usize;
        let sections = image.sections().iter();
        let place = |kind| match kind {
            SectionKind::Ramdisk => {
                let place = Place::Ramdisk { index: ramdisks };
                ramdisks = ramdisks.saturating_add(1);
                place
            }
            kind => Place::Section { kind },
        };
        let places: Vec<_> = sections.map(|section| section.kind).map(place).collect();
        places
    };
    let (places, others) = (numbered(first), numbered(second));
    for (place, section) in places.iter().zip(first.sections()) {
        let at = others.iter().position(|other| other == place);
        match at.and_then(|at| second.sections().get(at)) {
            None => found.push(Difference::new(place.clone(), What::OnlyIn(Side::First))),
            Some(other) if other.content == section.content => {}
            Some(other) if section.kind == SectionKind::Ramdisk => {
                found.extend(entries::compare(place, section.content, other.content));
            }
            Some(other) => {
                let what = What::bytes(section.content, other.content);
                found.push(Difference::new(place.clone(), what));
            }
        }
    }
    for place in others.iter().filter(|place| !places.contains(place)) {
        found.push(Difference::new(place.clone(), What::OnlyIn(Side::Second)));
    }
    if found.is_empty() && places != others {
        found.push(Difference::new(Place::Header, What::SectionOrder));
    }
    found.truncate(MAX_DIFFERENCES);
    found
}
