//! Canonical CBOR as a tree that can be changed and written again, rightly or wrongly.
//!
//! A reader of its own, so that what the tests do does not rest on the decoder under test. It knows
//! exactly the items the contract uses.

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Major type 0.
    Unsigned(u64),
    /// Major type 2.
    Bytes(Vec<u8>),
    /// A byte string that holds one item: the payload of a COSE_Sign1.
    Wrapped(Box<Self>),
    /// Major type 3.
    Text(String),
    /// Major type 4.
    Array(Vec<Self>),
    /// Major type 5.
    Map(Vec<(Self, Self)>),
    /// `false` or `true`.
    Bool(bool),
    /// Bytes to be written as they are.
    Raw(Vec<u8>),
}

/// The protected header of every COSE_Sign1 of the contract.
const PROTECTED: &[u8] = &[0xa1, 0x01, 0x26];

impl Item {
    /// Reads canonical bytes of the contract.
    ///
    /// # Panics
    /// If they are not.
    pub fn read(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let item = Self::next(&mut rest);
        assert!(rest.is_empty(), "{} bytes after the item", rest.len());
        item
    }

    fn next(rest: &mut &[u8]) -> Self {
        let (major, value) = head(rest);
        let length = || usize::try_from(value).expect("a length in memory");
        let many = |n: usize, rest: &mut &[u8]| (0..n).map(|_| Self::next(rest)).collect();
        match major {
            0 => Self::Unsigned(value),
            2 => Self::Bytes(take(rest, length()).to_vec()),
            3 => Self::Text(String::from_utf8(take(rest, length()).to_vec()).expect("UTF-8")),
            4 => wrapped(many(length(), rest)),
            5 => {
                let flat: Vec<Self> = many(2 * length(), rest);
                let pairs = flat.chunks_exact(2);
                Self::Map(
                    pairs
                        .map(|pair| (pair[0].clone(), pair[1].clone()))
                        .collect(),
                )
            }
            7 if value == 20 || value == 21 => Self::Bool(value == 21),
            _ => panic!("the contract has no item of major type {major}, value {value}"),
        }
    }

    /// The bytes; canonical unless the tree was made not to be.
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Unsigned(value) => heading(0, *value),
            Self::Bytes(bytes) => string(2, bytes),
            Self::Wrapped(item) => string(2, &item.write()),
            Self::Text(text) => string(3, text.as_bytes()),
            Self::Array(items) => {
                let start = heading(4, items.len() as u64);
                items
                    .iter()
                    .fold(start, |bytes, item| [bytes, item.write()].concat())
            }
            Self::Map(pairs) => {
                let start = heading(5, pairs.len() as u64);
                pairs.iter().fold(start, |bytes, (key, value)| {
                    [bytes, key.write(), value.write()].concat()
                })
            }
            Self::Bool(value) => vec![0xf4 + u8::from(*value)],
            Self::Raw(bytes) => bytes.clone(),
        }
    }

    /// Every way from the root to an item, the root first. A step is a position in an array, twice
    /// the position in a map for its key and one more for its value, or zero into a wrapped item.
    pub fn paths(&self) -> Vec<Vec<usize>> {
        let mut paths = vec![Vec::new()];
        for step in 0..self.width() {
            let below = self.child(step).expect("a step below the width").paths();
            paths.extend(below.into_iter().map(|path| [vec![step], path].concat()));
        }
        paths
    }

    /// The item at the end of a way.
    ///
    /// # Panics
    /// If the way leads nowhere.
    pub fn at(&self, path: &[usize]) -> &Self {
        path.iter().fold(self, |item, step| {
            item.child(*step).expect("a way of this tree")
        })
    }

    /// A copy in which the item at the end of a way is another one.
    ///
    /// # Panics
    /// If the way leads nowhere.
    #[must_use]
    pub fn with(&self, path: &[usize], other: Self) -> Self {
        let Some((step, rest)) = path.split_first() else {
            return other;
        };
        let mut copy = self.clone();
        let child = match &mut copy {
            Self::Array(items) => &mut items[*step],
            Self::Map(pairs) if step.is_multiple_of(2) => &mut pairs[step / 2].0,
            Self::Map(pairs) => &mut pairs[step / 2].1,
            Self::Wrapped(item) => item,
            _ => panic!("a way into an item that holds none"),
        };
        *child = child.with(rest, other);
        copy
    }

    /// Whether a map somewhere in the tree has a key twice.
    pub fn repeats_a_key(&self) -> bool {
        let here = match self {
            Self::Map(pairs) => (1..pairs.len())
                .any(|later| pairs[..later].iter().any(|(key, _)| *key == pairs[later].0)),
            _ => false,
        };
        let mut below = (0..self.width()).filter_map(|step| self.child(step));
        here || below.any(Self::repeats_a_key)
    }

    fn width(&self) -> usize {
        match self {
            Self::Array(items) => items.len(),
            Self::Map(pairs) => 2 * pairs.len(),
            Self::Wrapped(_) => 1,
            _ => 0,
        }
    }

    fn child(&self, step: usize) -> Option<&Self> {
        match self {
            Self::Array(items) => items.get(step),
            Self::Map(pairs) => {
                let (key, value) = pairs.get(step / 2)?;
                Some(if step.is_multiple_of(2) { key } else { value })
            }
            Self::Wrapped(item) if step == 0 => Some(item),
            _ => None,
        }
    }
}

/// A COSE_Sign1 is an array of four that begins with the protected header.
fn wrapped(mut items: Vec<Item>) -> Item {
    if let [Item::Bytes(protected), _, payload @ Item::Bytes(_), _] = items.as_mut_slice()
        && protected == PROTECTED
        && let Item::Bytes(bytes) = payload
    {
        *payload = Item::Wrapped(Box::new(Item::read(bytes)));
    }
    Item::Array(items)
}

fn head(rest: &mut &[u8]) -> (u8, u64) {
    let first = take(rest, 1)[0];
    let value = match first & 0x1f {
        small @ 0..=23 => u64::from(small),
        size @ 24..=27 => {
            let bytes = take(rest, 1 << (size - 24));
            bytes
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte))
        }
        _ => panic!("no definite length"),
    };
    (first >> 5, value)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken
}

/// The shortest head of an item.
pub(crate) fn heading(major: u8, value: u64) -> Vec<u8> {
    let size = match value {
        0..=23 => return vec![major << 5 | value as u8],
        24..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xffff_ffff => 2,
        _ => 3,
    };
    head_of_size(major, value, size)
}

/// A head whose value takes 2^size bytes.
pub(crate) fn head_of_size(major: u8, value: u64, size: u8) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    [&[major << 5 | (24 + size)], &bytes[8 - (1 << size)..]].concat()
}

fn string(major: u8, bytes: &[u8]) -> Vec<u8> {
    [&heading(major, bytes.len() as u64), bytes].concat()
}
