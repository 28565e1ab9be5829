//! An encoder for CBOR values that can also write what a correct encoder would not.

/// A value to be written.
#[derive(Clone, Debug)]
pub(crate) enum Cbor {
    Unsigned(u64),
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    IndefiniteArray(Vec<Self>),
    IndefiniteMap(Vec<(Self, Self)>),
    Tag(u64, Box<Self>),
    Null,
    /// Bytes written as they are.
    Raw(Vec<u8>),
}

pub(crate) const BREAK: u8 = 0xff;
pub(crate) const UNDEFINED: u8 = 0xf7;

impl Cbor {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unsigned(value) => out.extend(head(0, *value)),
            Self::Negative(value) => out.extend(head(1, *value)),
            Self::Bytes(bytes) => {
                out.extend(head(2, bytes.len() as u64));
                out.extend(bytes);
            }
            Self::Text(text) => {
                out.extend(head(3, text.len() as u64));
                out.extend(text.as_bytes());
            }
            Self::Array(items) => {
                out.extend(head(4, items.len() as u64));
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(entries) => {
                out.extend(head(5, entries.len() as u64));
                write_entries(entries, out);
            }
            Self::IndefiniteArray(items) => {
                out.push(0x9f);
                items.iter().for_each(|item| item.write(out));
                out.push(BREAK);
            }
            Self::IndefiniteMap(entries) => {
                out.push(0xbf);
                write_entries(entries, out);
                out.push(BREAK);
            }
            Self::Tag(number, item) => {
                out.extend(head(6, *number));
                item.write(out);
            }
            Self::Null => out.push(0xf6),
            Self::Raw(bytes) => out.extend(bytes),
        }
    }
}

/// The shortest head of a major type with an argument.
pub(crate) fn head(major: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    let (information, tail) = match argument {
        0..=23 => (bytes[7], &bytes[8..]),
        24..=0xff => (24, &bytes[7..]),
        0x100..=0xffff => (25, &bytes[6..]),
        0x1_0000..=0xffff_ffff => (26, &bytes[4..]),
        _ => (27, &bytes[..]),
    };
    let mut head = vec![(major << 5) | information];
    head.extend(tail);
    head
}

fn write_entries(entries: &[(Cbor, Cbor)], out: &mut Vec<u8>) {
    for (key, value) in entries {
        key.write(out);
        value.write(out);
    }
}
