//! JSON (RFC 8259) without its freedoms.
//!
//! Two readers of lenient JSON can read two things from one body: of a member that stands there twice
//! one takes the first and the other the last. What was stamped must mean one thing to everybody, so
//! this reader refuses what others settle silently. It is our own because the common ones tell what is
//! wrong only as text, with words of the sender in it, and let a list stand for an object.
//!
//! Guarantees: accepted is exactly RFC 8259 in UTF-8, less duplicate keys, numbers that are not integers
//! of 64 bits, and what is beyond the bounds. Recursion is at most [`MAX_DEPTH`], memory linear in the
//! input; a string without escapes is borrowed.
//!
//! Trusts: nothing. Does not: normalize text; keys are compared byte by byte after their escapes.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// Objects and lists inside each other.
pub const MAX_DEPTH: usize = 8;
/// Members of one object.
pub const MAX_MEMBERS: usize = 64;
/// Values in all.
pub const MAX_VALUES: usize = 4096;

/// Text that is not JSON, or is beyond the bounds. Its sender is at fault. Offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// A control character stands in a string as it is.
    #[error("a control character at byte {offset}; write it as an escape")]
    ControlCharacter {
        /// Where it stands.
        offset: usize,
    },
    /// A key stands twice in one object.
    #[error("the key at byte {offset} stands in this object already")]
    DuplicateKey {
        /// Where the second begins.
        offset: usize,
    },
    /// The text ends before the value does.
    #[error("the text ends before the value does")]
    End,
    /// An escape that JSON does not have.
    #[error("an unknown or incomplete escape at byte {offset}")]
    Escape {
        /// Its backslash.
        offset: usize,
    },
    /// A number that is not an integer of 64 bits in its shortest form.
    #[error("the number at byte {offset} is not an integer of 64 bits")]
    NotInteger {
        /// Where it begins.
        offset: usize,
    },
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8 from byte {offset}")]
    NotUtf8 {
        /// First wrong byte.
        offset: usize,
    },
    /// Half of a pair of UTF-16 escapes.
    #[error("the escape at byte {offset} is half of a pair")]
    Surrogate {
        /// Its backslash.
        offset: usize,
    },
    /// Objects and lists are nested too deeply.
    #[error("more than {max} objects and lists inside each other at byte {offset}")]
    TooDeep {
        /// Where the one too many begins.
        offset: usize,
        /// Most accepted.
        max: usize,
    },
    /// The text is too large.
    #[error("a text of {found} bytes, at most {max} are accepted")]
    TooLarge {
        /// Largest accepted size in bytes.
        max: usize,
        /// Size found in bytes.
        found: usize,
    },
    /// An object has too many members.
    #[error("an object of more than {max} members at byte {offset}")]
    TooManyMembers {
        /// Where the one too many begins.
        offset: usize,
        /// Most accepted.
        max: usize,
    },
    /// There are too many values.
    #[error("more than {max} values at byte {offset}")]
    TooManyValues {
        /// Where the one too many begins.
        offset: usize,
        /// Most accepted.
        max: usize,
    },
    /// Something goes on after the value.
    #[error("the text goes on after its end, at byte {offset}")]
    Trailing {
        /// First byte too many.
        offset: usize,
    },
    /// A character that cannot stand here.
    #[error("an unexpected character at byte {offset}")]
    Unexpected {
        /// Where it stands.
        offset: usize,
    },
}

/// A value and where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its first byte.
    pub offset: usize,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Integer(i64),
    /// A string, without its escapes.
    String(Cow<'a, str>),
    /// A list.
    List(Vec<Value<'a>>),
    /// An object.
    Object(Vec<Member<'a>>),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// First byte of the key.
    pub offset: usize,
    /// The key, without its escapes.
    pub key: Cow<'a, str>,
    /// The value.
    pub value: Value<'a>,
}

/// Reads the one value that `bytes` is, if they are at most `max`.
///
/// # Errors
/// [`JsonError`]
pub fn parse(bytes: &[u8], max: usize) -> Result<Value<'_>, JsonError> {
    let found = bytes.len();
    if found > max {
        return Err(JsonError::TooLarge { max, found });
    }
    let text = core::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
        values: 0,
    };
    reader.space();
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(JsonError::Trailing { offset: reader.at }),
    }
}

/// `at` is always on a character's boundary.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Only after an ASCII character was seen there.
    fn skip(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.skip();
        }
    }

    fn unexpected(&self) -> JsonError {
        match self.peek() {
            None => JsonError::End,
            Some(_) => JsonError::Unexpected { offset: self.at },
        }
    }

    fn expect(&mut self, character: u8) -> Result<(), JsonError> {
        if self.peek() != Some(character) {
            return Err(self.unexpected());
        }
        self.skip();
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        word.bytes().try_for_each(|c| self.expect(c))
    }

    fn value(&mut self) -> Result<Value<'a>, JsonError> {
        let offset = self.at;
        if self.values == MAX_VALUES {
            let max = MAX_VALUES;
            return Err(JsonError::TooManyValues { offset, max });
        }
        self.values += 1;
        let kind = match self.peek() {
            Some(b'n') => self.word("null").map(|()| Kind::Null),
            Some(b't') => self.word("true").map(|()| Kind::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Kind::Bool(false)),
            Some(b'"') => self.string().map(Kind::String),
            Some(b'-' | b'0'..=b'9') => self.integer().map(Kind::Integer),
            Some(b'[') => self.nested(Self::list).map(Kind::List),
            Some(b'{') => self.nested(Self::object).map(Kind::Object),
            _ => Err(self.unexpected()),
        }?;
        Ok(Value { offset, kind })
    }

    /// Reads what the bracket at this place opens.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        if self.depth == MAX_DEPTH {
            let (offset, max) = (self.at, MAX_DEPTH);
            return Err(JsonError::TooDeep { offset, max });
        }
        self.skip();
        self.depth += 1;
        let inner = read(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn list(&mut self) -> Result<Vec<Value<'a>>, JsonError> {
        let mut list = Vec::new();
        while self.another(b']', list.is_empty())? {
            list.push(self.value()?);
        }
        Ok(list)
    }

    fn object(&mut self) -> Result<Vec<Member<'a>>, JsonError> {
        let mut members: Vec<Member<'a>> = Vec::new();
        while self.another(b'}', members.is_empty())? {
            let offset = self.at;
            if members.len() == MAX_MEMBERS {
                let max = MAX_MEMBERS;
                return Err(JsonError::TooManyMembers { offset, max });
            }
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let key = self.string()?;
            if members.iter().any(|member| member.key == key) {
                return Err(JsonError::DuplicateKey { offset });
            }
            self.space();
            self.expect(b':')?;
            self.space();
            let value = self.value()?;
            members.push(Member { offset, key, value });
        }
        Ok(members)
    }

    /// Whether an item follows, and steps to it; else steps over the closing bracket.
    fn another(&mut self, close: u8, first: bool) -> Result<bool, JsonError> {
        self.space();
        match self.peek() {
            Some(c) if c == close => {
                self.skip();
                Ok(false)
            }
            Some(_) if first => Ok(true),
            Some(b',') => {
                self.skip();
                self.space();
                match self.peek() {
                    Some(c) if c == close => Err(self.unexpected()),
                    _ => Ok(true),
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    fn integer(&mut self) -> Result<i64, JsonError> {
        let offset = self.at;
        let refused = JsonError::NotInteger { offset };
        let rest = self.text.get(offset..).unwrap_or_default();
        let length = rest.bytes().take_while(|c| is_of_number(*c)).count();
        let number = rest.get(..length).unwrap_or_default();
        let digits = number.strip_prefix('-').unwrap_or(number);
        let leading_zero = digits.starts_with('0') && digits != "0";
        if digits.bytes().any(|c| !c.is_ascii_digit()) || leading_zero || number == "-0" {
            return Err(refused);
        }
        let value = number.parse().map_err(|_| refused)?;
        self.at = offset.saturating_add(length);
        Ok(value)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.skip();
        let mut read: Option<String> = None;
        loop {
            let start = self.at;
            let rest = self.text.as_bytes().get(start..).unwrap_or_default();
            let plain = rest
                .iter()
                .take_while(|c| !matches!(c, b'"' | b'\\' | 0..0x20))
                .count();
            self.at = start.saturating_add(plain);
            let piece = self.text.get(start..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.skip();
                    return Ok(match read {
                        None => Cow::Borrowed(piece),
                        Some(read) => Cow::Owned(read + piece),
                    });
                }
                Some(b'\\') => {
                    let read = read.get_or_insert_default();
                    read.push_str(piece);
                    read.push(self.escape()?);
                }
                Some(_) => return Err(JsonError::ControlCharacter { offset: self.at }),
                None => return Err(JsonError::End),
            }
        }
    }

    /// At a backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let offset = self.at;
        self.skip();
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(offset),
            Some(_) => return Err(JsonError::Escape { offset }),
            None => return Err(JsonError::End),
        };
        self.skip();
        Ok(character)
    }

    /// At the `u` of an escape that began at `offset`.
    fn unicode(&mut self, offset: usize) -> Result<char, JsonError> {
        let refused = JsonError::Surrogate { offset };
        let first = self.unit(offset)?;
        let number = match first {
            0xd800..=0xdbff => {
                let second = self.at;
                if self.text.as_bytes().get(second..second.saturating_add(2)) != Some(br"\u") {
                    return Err(refused);
                }
                self.skip();
                match self.unit(second)? {
                    low @ 0xdc00..=0xdfff => 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00),
                    _ => return Err(refused),
                }
            }
            other => other,
        };
        char::from_u32(number).ok_or(refused)
    }

    /// The `u` and its four digits.
    fn unit(&mut self, offset: usize) -> Result<u32, JsonError> {
        self.skip();
        (0..4).try_fold(0, |value, _| {
            let character = self.peek().ok_or(JsonError::End)?;
            let digit = char::from(character).to_digit(16);
            let digit = digit.ok_or(JsonError::Escape { offset })?;
            self.skip();
            Ok(value << 4 | digit)
        })
    }
}

fn is_of_number(character: u8) -> bool {
    matches!(character, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}
