//! Canonical bytes, broken in every way the contract forbids.
//!
//! Two families. [`forms`] keep the meaning and write it in another way, which only deterministic
//! encoding forbids. [`structures`] are canonical CBOR of another structure; some of them are valid
//! objects again (an optional field left out, a shorter text), so what must hold for all of them is
//! that the CDDL and the decoder agree.

use crate::tree::{Item, head_of_size};

/// The one change that repeats a key; no other may, or it would break two things at once.
const TWICE: &str = "a key twice";

/// One broken copy.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// What was done.
    pub what: &'static str,
    /// The way to the item it was done to.
    pub path: Vec<usize>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The same value, not in its canonical form: a decoder refuses every one.
pub fn forms(bytes: &[u8]) -> Vec<Mutation> {
    change(bytes, other_forms, |_| true)
}

/// Those of [`forms`] that do this.
pub fn forms_of(bytes: &[u8], what: &str) -> Vec<Mutation> {
    change(bytes, other_forms, |done| done == what)
}

/// Canonical bytes of another structure.
pub fn structures(bytes: &[u8]) -> Vec<Mutation> {
    change(bytes, other_structures, |_| true)
}

/// Those of [`structures`] that do this.
pub fn structures_of(bytes: &[u8], what: &str) -> Vec<Mutation> {
    change(bytes, other_structures, |done| done == what)
}

fn change(
    bytes: &[u8],
    others: fn(&Item) -> Vec<(&'static str, Item)>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Mutation> {
    let root = Item::read(bytes);
    let mut all = Vec::new();
    for path in root.paths() {
        let item = root.at(&path);
        for (what, other) in others(item) {
            if !wanted(what) || other == *item {
                continue;
            }
            let changed = root.with(&path, other);
            if what != TWICE && changed.repeats_a_key() {
                continue;
            }
            let (path, bytes) = (path.clone(), changed.write());
            all.push(Mutation { what, path, bytes });
        }
    }
    all
}

fn other_forms(item: &Item) -> Vec<(&'static str, Item)> {
    let bytes = item.write();
    let (major, value, content) = match item {
        Item::Unsigned(value) => (0, *value, Vec::new()),
        Item::Bytes(content) => (2, content.len() as u64, content.clone()),
        Item::Wrapped(inner) => (2, inner.write().len() as u64, inner.write()),
        Item::Text(text) => (3, text.len() as u64, text.clone().into_bytes()),
        Item::Array(items) => {
            let content = items.iter().flat_map(Item::write).collect();
            (4, items.len() as u64, content)
        }
        Item::Map(pairs) => {
            let written = pairs
                .iter()
                .flat_map(|(key, value)| [key.write(), value.write()]);
            (5, pairs.len() as u64, written.flatten().collect())
        }
        Item::Bool(_) | Item::Raw(_) => return Vec::new(),
    };
    let mut others = Vec::new();
    for size in 0..4 {
        let written = [head_of_size(major, value, size), content.clone()].concat();
        if written.len() > bytes.len() {
            others.push(("a head longer than needed", Item::Raw(written)));
        }
    }
    let start = major << 5 | 0x1f;
    match item {
        Item::Array(_) | Item::Map(_) => {
            let written = [vec![start], content, vec![0xff]].concat();
            others.push(("an indefinite length", Item::Raw(written)));
        }
        Item::Bytes(_) | Item::Wrapped(_) | Item::Text(_) => {
            let written = [vec![start], bytes, vec![0xff]].concat();
            others.push(("an indefinite length", Item::Raw(written)));
        }
        _ => {}
    }
    if let Item::Map(pairs) = item {
        for position in 0..pairs.len() {
            let mut twice = pairs.clone();
            twice.insert(position, pairs[position].clone());
            others.push((TWICE, Item::Map(twice)));
            let mut swapped = pairs.clone();
            if position + 1 < pairs.len() {
                swapped.swap(position, position + 1);
                others.push(("keys out of order", Item::Map(swapped)));
            }
        }
    }
    others
}

fn other_structures(item: &Item) -> Vec<(&'static str, Item)> {
    let mut others: Vec<_> = [
        Item::Unsigned(0),
        Item::Bytes(Vec::new()),
        Item::Text(String::new()),
        Item::Array(Vec::new()),
        Item::Map(Vec::new()),
        Item::Bool(true),
    ]
    .map(|other| ("another type", other))
    .to_vec();
    others.push(("a negative integer", Item::Raw(vec![0x20])));
    others.push(("null", Item::Raw(vec![0xf6])));
    others.push(("undefined", Item::Raw(vec![0xf7])));
    others.push(("a float", Item::Raw(vec![0xf9, 0x3e, 0x00])));
    others.push((
        "a tag",
        Item::Raw([vec![0xd8, 0x2a], item.write()].concat()),
    ));
    match item {
        Item::Unsigned(value) => {
            let near = [value.wrapping_add(1), value.wrapping_sub(1), !value];
            let edges = [
                1,
                255,
                256,
                5099,
                65_535,
                65_536,
                1 << 31,
                1 << 32,
                1 << 47,
                u64::MAX,
            ];
            let all = near.into_iter().chain(edges);
            others.extend(all.map(|other| ("another number", Item::Unsigned(other))));
        }
        Item::Bytes(bytes) => {
            let longer = [bytes.as_slice(), &[0]].concat();
            others.push(("a longer string", Item::Bytes(longer)));
            if let Some((_, shorter)) = bytes.split_last() {
                others.push(("a shorter string", Item::Bytes(shorter.to_vec())));
            }
        }
        Item::Text(text) => {
            others.push(("a longer text", Item::Text(format!("{text}x"))));
            others.push(("a capital letter", Item::Text(format!("X{text}"))));
            others.push(("a very long text", Item::Text("y".repeat(4097))));
        }
        Item::Array(items) => {
            if let Some((last, fewer)) = items.split_last() {
                others.push(("one item less", Item::Array(fewer.to_vec())));
                let more = [items.as_slice(), core::slice::from_ref(last)].concat();
                others.push(("one item more", Item::Array(more)));
            }
        }
        Item::Map(pairs) => {
            for position in 0..pairs.len() {
                let mut fewer = pairs.clone();
                fewer.remove(position);
                others.push(("a missing key", Item::Map(fewer)));
            }
            for key in [
                Item::Unsigned(99),
                Item::Unsigned(u64::MAX),
                Item::Raw(vec![0x38, 0x63]),
                Item::Text("extra".into()),
            ] {
                let mut more = pairs.clone();
                more.push((key, Item::Unsigned(0)));
                others.push(("an extra key", Item::Map(more)));
            }
        }
        Item::Wrapped(_) | Item::Bool(_) | Item::Raw(_) => {}
    }
    others
}
