//! Valid attestation documents, changed with knowledge of their structure.
//!
//! A fuzzer's random bytes hardly ever pass a length or a checksum of structure. Here they choose
//! edits instead: of an item of the CBOR, of a value of a certificate's DER, of a signature. Lengths
//! around an edit are made right again, so the change arrives where it is meant to.
//!
//! The invariant: whatever is accepted says exactly what the signed document said. A few changes
//! are no change of facts and may be accepted: tag 18, the other value of *s*.

use std::sync::LazyLock;

use quorate_verify::attestation::{
    Attested, DebugMode, Freshness, Partition, TrustAnchor, TrustAnchors, verify,
};

use crate::items::{Item, Kind, Values};

/// Edits of one document, at most.
const EDITS: usize = 8;

/// Documents of two shapes from the committed vectors, with everything that AWS's have.
static SIGNED: LazyLock<Vec<Signed>> = LazyLock::new(|| {
    [
        &include_bytes!("../../../verify/testdata/attestation/shapes/2021.bin")[..],
        include_bytes!(
            "../../../verify/testdata/attestation/shapes/2025-indefinite-17-registers.bin"
        ),
    ]
    .map(Signed::new)
    .into()
});

/// A document that verifies.
struct Signed {
    document: Item,
    anchors: TrustAnchors,
    attested: Attested,
}

impl Signed {
    fn new(bytes: &[u8]) -> Self {
        let document = Item::read(bytes).expect("a vector is CBOR");
        let root = document.root().expect("a vector has a bundle");
        let root = TrustAnchor::from_der(Partition::Development, root).expect("a root");
        let mut anchors = TrustAnchors::empty();
        anchors.insert(root).expect("the first root");
        let attested = examine(bytes, &anchors).expect("a vector that is accepted");
        Self {
            document,
            anchors,
            attested,
        }
    }
}

fn examine(bytes: &[u8], anchors: &TrustAnchors) -> Option<Attested> {
    let archived = Freshness::Archived { at_unix: None };
    verify(bytes, anchors, &archived, DebugMode::Allowed).ok()
}

/// Edits a valid document as the bytes say. No edited document is accepted with other facts.
pub(crate) fn mutation(data: &[u8]) {
    let mut choices = Choices(data);
    let place = usize::from(choices.byte()) % SIGNED.len();
    let Some(signed) = SIGNED.get(place) else {
        return;
    };
    let mut document = signed.document.clone();
    for _ in 0..EDITS {
        if choices.is_empty() {
            break;
        }
        edit(&mut document, &mut choices);
    }
    if let Some(attested) = examine(&document.written(), &signed.anchors) {
        same_facts(&attested, &signed.attested);
    }
}

/// The bytes stand in place of the payload of a document with the right envelope.
pub(crate) fn payload(data: &[u8]) {
    replaced(|document| document.part_mut(2), data);
}

/// The bytes stand in place of one of the five certificates.
pub(crate) fn certificate(data: &[u8]) {
    for place in 0..5 {
        replaced(|document| document.certificate_mut(place), data);
    }
}

/// The bytes stand in place of everything around the payload: a head and headers before it, the
/// signature and what follows after it. The first byte says how many stand before.
pub(crate) fn cose(data: &[u8]) {
    let Some((at, around)) = data.split_first() else {
        return;
    };
    for signed in SIGNED.iter() {
        let Some(payload) = signed.document.part(2) else {
            return;
        };
        let (before, after) = around.split_at(around.len().min(usize::from(*at)));
        let bytes = [before, &payload.written(), after].concat();
        if let Some(attested) = examine(&bytes, &signed.anchors) {
            same_facts(&attested, &signed.attested);
        }
    }
}

fn replaced(part: impl Fn(&mut Item) -> Option<&mut Item>, data: &[u8]) {
    for signed in SIGNED.iter() {
        let mut document = signed.document.clone();
        let Some(found) = part(&mut document) else {
            return;
        };
        *found = Item::bytes(data);
        if let Some(attested) = examine(&document.written(), &signed.anchors) {
            same_facts(&attested, &signed.attested);
        }
    }
}

fn same_facts(found: &Attested, signed: &Attested) {
    assert_eq!(found.document(), signed.document(), "other facts");
    assert_eq!(found.certificates(), signed.certificates(), "another chain");
    assert_eq!(found.root_fingerprint(), signed.root_fingerprint());
    assert_eq!(found.partition(), signed.partition());
}

/// The fuzzer's bytes as choices. Where they end, every choice is zero.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One of `count` places; zero where there is none.
    fn place(&mut self, count: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number.checked_rem(count).unwrap_or(0)
    }

    fn some(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

/// One edit, of whatever item the next choice says.
fn edit(document: &mut Item, choices: &mut Choices<'_>) {
    let place = choices.place(document.count());
    let Some(item) = document.at_mut(place) else {
        return;
    };
    match choices.byte() % 10 {
        0 => item.tagged(choices.byte().into()),
        1 => item.turn_definite(),
        2 => *item = Item::null(),
        3 => *item = Item::bytes(choices.some()),
        4 => *item = Item::unsigned(choices.byte().into()),
        5 => edit_children(item, choices),
        6 => item.widen(),
        7 => item.alter(choices.place(usize::MAX), choices.byte()),
        8 => edit_values(item, choices),
        _ => other_s(item),
    }
}

/// Takes an element out, repeats one, or exchanges two.
fn edit_children(item: &mut Item, choices: &mut Choices<'_>) {
    let (Kind::List(children) | Kind::Map(children)) = item.kind_mut() else {
        return;
    };
    let (one, two) = (choices.place(children.len()), choices.place(children.len()));
    if children.is_empty() {
        return;
    }
    match choices.byte() % 4 {
        0 => drop(children.remove(one)),
        1 => children.insert(two, children.get(one).cloned().unwrap_or_else(Item::null)),
        2 => children.swap(one, two),
        _ => children.push(Item::bytes(choices.some())),
    }
}

/// The same in the DER of a certificate.
fn edit_values(item: &mut Item, choices: &mut Choices<'_>) {
    let Kind::Bytes(bytes) = item.kind_mut() else {
        return;
    };
    let Some(mut values) = Values::read(bytes) else {
        return;
    };
    let place = choices.place(values.count());
    let operation = choices.byte();
    let (one, two) = (choices.byte(), choices.byte());
    values.edit(place, operation, one, two);
    *bytes = values.written();
}

/// The order of the curve's group.
const ORDER: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];

/// The other of the two values of *s*, which verifies as well.
fn other_s(item: &mut Item) {
    let Kind::Bytes(bytes) = item.kind_mut() else {
        return;
    };
    let Some(s) = bytes.get_mut(48..96).filter(|s| s.len() == 48) else {
        return;
    };
    let mut borrow = 0;
    for (digit, order) in s.iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = difference.rem_euclid(256) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise the target would find nothing out: unedited documents and the two permitted
    /// changes are accepted, a change of facts is not.
    #[test]
    fn unedited_documents_and_permitted_changes_are_accepted() {
        for signed in SIGNED.iter() {
            let accepted = |document: &Item| examine(&document.written(), &signed.anchors);
            assert_eq!(accepted(&signed.document).as_ref(), Some(&signed.attested));

            let mut tagged = signed.document.clone();
            tagged.tagged(18);
            assert!(accepted(&tagged).is_some());

            let mut other = signed.document.clone();
            other_s(other.part_mut(3).expect("a signature"));
            let found = accepted(&other).expect("accepted");
            assert_ne!(found.sha256(), signed.attested.sha256());
            same_facts(&found, &signed.attested);

            let mut fewer = signed.document.clone();
            fewer.part_mut(2).expect("a payload").alter(40, 1);
            assert!(accepted(&fewer).is_none());
        }
    }

    #[test]
    fn every_item_and_every_edit_is_reached() {
        for operation in 0..10 {
            for place in 0..SIGNED[0].document.count() {
                let [high, low] = u16::try_from(place).expect("few items").to_be_bytes();
                for rest in [[0, 0, 0, 1], [0, 1, 2, 3], [1, 7, 0, 9]] {
                    let choices = [0, high, low, operation, rest[0], rest[1], rest[2], rest[3]];
                    mutation(&choices);
                }
            }
        }
    }
}
