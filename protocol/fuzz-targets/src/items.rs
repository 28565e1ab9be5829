//! CBOR items and DER values as trees that can be changed and written again.
//!
//! Reading is for documents known to be good; writing makes every length right but the ones that an
//! edit made wrong on purpose. Nothing here is shared with the decoders under test.

/// One item of CBOR.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    kind: Kind,
    /// Written with an indefinite length.
    indefinite: bool,
    /// Written with a longer head than needed.
    wide: bool,
    tag: Option<u64>,
}

/// What an item is. A map is the list of its keys and values in turn.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Unsigned(u64),
    Negative(u64),
    Bytes(Vec<u8>),
    /// A byte string that holds an item: the payload.
    Wrapped(Box<Item>),
    Text(Vec<u8>),
    List(Vec<Item>),
    Map(Vec<Item>),
    Simple(u8),
}

const NULL: u8 = 22;

impl Item {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            indefinite: false,
            wide: false,
            tag: None,
        }
    }

    pub(crate) fn null() -> Self {
        Self::of(Kind::Simple(NULL))
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::of(Kind::Bytes(bytes.to_vec()))
    }

    pub(crate) fn unsigned(number: u64) -> Self {
        Self::of(Kind::Unsigned(number))
    }

    /// Reads a whole document, its payload included.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut document = read_item(&mut rest)?;
        let payload = document.part_mut(2)?;
        if let Kind::Bytes(inner) = &payload.kind {
            let inner = read_item(&mut &inner[..])?;
            payload.kind = Kind::Wrapped(Box::new(inner));
        }
        rest.is_empty().then_some(document)
    }

    pub(crate) fn kind_mut(&mut self) -> &mut Kind {
        &mut self.kind
    }

    /// One of the four parts of the envelope.
    pub(crate) fn part(&self, place: usize) -> Option<&Self> {
        match &self.kind {
            Kind::List(parts) => parts.get(place),
            _ => None,
        }
    }

    pub(crate) fn part_mut(&mut self, place: usize) -> Option<&mut Self> {
        match &mut self.kind {
            Kind::List(parts) => parts.get_mut(place),
            _ => None,
        }
    }

    /// The first certificate of the bundle.
    pub(crate) fn root(&self) -> Option<&[u8]> {
        match &self.part(2)?.kind {
            Kind::Wrapped(payload) => match &payload.field("cabundle")?.part(0)?.kind {
                Kind::Bytes(root) => Some(root),
                _ => None,
            },
            _ => None,
        }
    }

    /// A certificate by its place from the root; the leaf is at 4.
    pub(crate) fn certificate_mut(&mut self, place: usize) -> Option<&mut Self> {
        let Kind::Wrapped(payload) = &mut self.part_mut(2)?.kind else {
            return None;
        };
        match place {
            4 => payload.field_mut("certificate"),
            _ => payload.field_mut("cabundle")?.part_mut(place),
        }
    }

    fn field(&self, name: &str) -> Option<&Self> {
        let Kind::Map(entries) = &self.kind else {
            return None;
        };
        let mut pairs = entries.chunks_exact(2);
        pairs.find_map(|pair| pair[0].is_text(name).then_some(&pair[1]))
    }

    fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Kind::Map(entries) = &mut self.kind else {
            return None;
        };
        let mut pairs = entries.chunks_exact_mut(2);
        pairs.find_map(|pair| pair[0].is_text(name).then_some(&mut pair[1]))
    }

    fn is_text(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Text(text) if text == name.as_bytes())
    }

    /// This item and all inside it.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.kind {
            Kind::Wrapped(inner) => inner.count(),
            Kind::List(items) | Kind::Map(items) => items.iter().map(Self::count).sum(),
            _ => 0,
        }
    }

    /// An item by its place in the order of writing.
    pub(crate) fn at_mut(&mut self, place: usize) -> Option<&mut Self> {
        let Some(mut inside) = place.checked_sub(1) else {
            return Some(self);
        };
        match &mut self.kind {
            Kind::Wrapped(inner) => inner.at_mut(inside),
            Kind::List(items) | Kind::Map(items) => {
                for item in items {
                    let count = item.count();
                    if inside < count {
                        return item.at_mut(inside);
                    }
                    inside -= count;
                }
                None
            }
            _ => None,
        }
    }

    pub(crate) fn tagged(&mut self, tag: u64) {
        self.tag = Some(tag);
    }

    pub(crate) fn turn_definite(&mut self) {
        self.indefinite = !self.indefinite;
    }

    pub(crate) fn widen(&mut self) {
        self.wide = !self.wide;
    }

    /// Changes a byte of a string or the bits of a number.
    pub(crate) fn alter(&mut self, place: usize, mask: u8) {
        match &mut self.kind {
            Kind::Unsigned(number) | Kind::Negative(number) => *number ^= u64::from(mask),
            Kind::Simple(value) => *value ^= mask & 0x1f,
            Kind::Bytes(bytes) | Kind::Text(bytes) => {
                let length = bytes.len();
                if let Some(byte) = place.checked_rem(length).and_then(|at| bytes.get_mut(at)) {
                    *byte ^= mask;
                }
            }
            Kind::Wrapped(inner) => {
                let mut bytes = inner.written();
                let length = bytes.len();
                if let Some(byte) = place.checked_rem(length).and_then(|at| bytes.get_mut(at)) {
                    *byte ^= mask;
                }
                self.kind = Kind::Bytes(bytes);
            }
            Kind::List(items) => self.kind = Kind::Map(std::mem::take(items)),
            Kind::Map(items) => self.kind = Kind::List(std::mem::take(items)),
        }
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        const BREAK: u8 = 0xff;
        if let Some(tag) = self.tag {
            head(out, 6, tag, false);
        }
        let string = |out: &mut Vec<u8>, major: u8, bytes: &[u8]| {
            if self.indefinite {
                out.push(major << 5 | 31);
            }
            head(out, major, bytes.len() as u64, self.wide);
            out.extend(bytes);
            if self.indefinite {
                out.push(BREAK);
            }
        };
        match &self.kind {
            Kind::Unsigned(number) => head(out, 0, *number, self.wide),
            Kind::Negative(number) => head(out, 1, *number, self.wide),
            Kind::Bytes(bytes) => string(out, 2, bytes),
            Kind::Wrapped(inner) => string(out, 2, &inner.written()),
            Kind::Text(bytes) => string(out, 3, bytes),
            Kind::Simple(value) => out.push(7 << 5 | value & 0x1f),
            Kind::List(items) | Kind::Map(items) => {
                let (major, length) = match self.kind {
                    Kind::List(_) => (4, items.len()),
                    _ => (5, items.len() / 2),
                };
                if self.indefinite {
                    out.push(major << 5 | 31);
                } else {
                    head(out, major, length as u64, self.wide);
                }
                items.iter().for_each(|item| item.write(out));
                if self.indefinite {
                    out.push(BREAK);
                }
            }
        }
    }
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64, wide: bool) {
    let bytes = argument.to_be_bytes();
    let least = match argument {
        0..=23 => 0,
        24..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    let (information, length) = match (least, wide) {
        (0, false) => (bytes[7], 0),
        (0, true) | (1, false) => (24, 1),
        (1, true) | (2, false) => (25, 2),
        (2, true) | (4, false) => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | information);
    out.extend(&bytes[8 - length..]);
}

fn read_item(rest: &mut &[u8]) -> Option<Item> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    let (major, information) = (first >> 5, first & 0x1f);
    let length = match information {
        0..=23 => 0,
        24..=27 => 1 << (information - 24),
        31 => return read_indefinite(rest, major),
        _ => return None,
    };
    let argument = take(rest, length)?;
    let argument = argument
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let argument = if length == 0 {
        u64::from(information)
    } else {
        argument
    };
    let size = usize::try_from(argument).ok()?;
    let kind = match major {
        0 => Kind::Unsigned(argument),
        1 => Kind::Negative(argument),
        2 => Kind::Bytes(take(rest, size)?.to_vec()),
        3 => Kind::Text(take(rest, size)?.to_vec()),
        4 => Kind::List((0..size).map(|_| read_item(rest)).collect::<Option<_>>()?),
        5 => Kind::Map(
            (0..size * 2)
                .map(|_| read_item(rest))
                .collect::<Option<_>>()?,
        ),
        6 => {
            let mut item = read_item(rest)?;
            item.tag = Some(argument);
            return Some(item);
        }
        _ => Kind::Simple(information),
    };
    Some(Item::of(kind))
}

fn read_indefinite(rest: &mut &[u8], major: u8) -> Option<Item> {
    let mut items = Vec::new();
    while *rest.first()? != 0xff {
        items.push(read_item(rest)?);
    }
    take(rest, 1)?;
    let kind = match major {
        4 => Kind::List(items),
        5 => Kind::Map(items),
        _ => return None,
    };
    let mut item = Item::of(kind);
    item.indefinite = true;
    Some(item)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// A value of DER: a tag, and either values or bytes.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    tag: u8,
    inside: Inside,
}

#[derive(Clone, Debug)]
enum Inside {
    Values(Vec<Values>),
    Bytes(Vec<u8>),
}

const CONSTRUCTED: u8 = 0x20;

impl Values {
    /// Reads one value that fills the bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let value = Self::next(&mut rest)?;
        rest.is_empty().then_some(value)
    }

    fn next(rest: &mut &[u8]) -> Option<Self> {
        let [tag, first] = *take(rest, 2)? else {
            return None;
        };
        let length = match first {
            short @ 0..=0x7f => usize::from(short),
            0x81 | 0x82 => {
                let digits = take(rest, usize::from(first & 0x7f))?;
                digits
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let mut content = take(rest, length)?;
        if tag & CONSTRUCTED == 0 {
            let inside = Inside::Bytes(content.to_vec());
            return Some(Self { tag, inside });
        }
        let mut values = Vec::new();
        while !content.is_empty() {
            values.push(Self::next(&mut content)?);
        }
        let inside = Inside::Values(values);
        Some(Self { tag, inside })
    }

    pub(crate) fn count(&self) -> usize {
        1 + match &self.inside {
            Inside::Values(values) => values.iter().map(Self::count).sum(),
            Inside::Bytes(_) => 0,
        }
    }

    fn at_mut(&mut self, place: usize) -> Option<&mut Self> {
        let Some(mut before) = place.checked_sub(1) else {
            return Some(self);
        };
        let Inside::Values(values) = &mut self.inside else {
            return None;
        };
        for value in values {
            let count = value.count();
            if before < count {
                return value.at_mut(before);
            }
            before -= count;
        }
        None
    }

    /// Changes the value at a place: its tag, its bytes, or what is inside.
    pub(crate) fn edit(&mut self, place: usize, operation: u8, one: u8, two: u8) {
        let Some(value) = self.at_mut(place) else {
            return;
        };
        if operation.is_multiple_of(8) {
            value.tag ^= one;
            return;
        }
        match &mut value.inside {
            Inside::Bytes(bytes) => match operation % 4 {
                0 => bytes.push(one),
                1 => drop(bytes.pop()),
                2 => bytes.insert(0, one),
                _ => {
                    let length = bytes.len();
                    let at = usize::from(one).checked_rem(length);
                    if let Some(byte) = at.and_then(|at| bytes.get_mut(at)) {
                        *byte ^= two;
                    }
                }
            },
            Inside::Values(values) => {
                let length = values.len();
                let at = |number: u8| usize::from(number).checked_rem(length);
                let (Some(one), Some(two)) = (at(one), at(two)) else {
                    return;
                };
                match operation % 4 {
                    0 => values.reverse(),
                    1 => drop(values.remove(one)),
                    2 => values.insert(two, values[one].clone()),
                    _ => values.swap(one, two),
                }
            }
        }
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        let content = match &self.inside {
            Inside::Bytes(bytes) => bytes.clone(),
            Inside::Values(values) => values.iter().flat_map(Self::written).collect(),
        };
        let mut out = vec![self.tag];
        match u16::try_from(content.len()) {
            Ok(length @ 0..=0x7f) => out.extend(&length.to_be_bytes()[1..]),
            Ok(length @ 0x80..=0xff) => out.extend([0x81, length.to_be_bytes()[1]]),
            Ok(length) => out.extend([&[0x82], &length.to_be_bytes()[..]].concat()),
            // Edits never make so much.
            Err(_) => out.push(0x80),
        }
        out.extend(content);
        out
    }
}
