//! From JSON objects to fields, with none left over.
//!
//! Guarantees: each member is taken once; one that nobody took is an error. A missing field and one of
//! another type are errors that name it.
//!
//! An optional member may be `null`, which means that it is not there: generated clients write that.
//!
//! Trusts: nothing. Does not: copy a sender's text into an error.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::json::{Kind, Member, Value};

/// The name of a field, from the contract.
pub type Field = &'static str;

/// An object that is not what the contract says. Its maker is at fault. Offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// A field is missing.
    #[error("the field {field} is missing")]
    Missing {
        /// Its name.
        field: Field,
    },
    /// The value is not an object.
    #[error("the value at byte {offset} is not an object")]
    NotAnObject {
        /// First byte of the value.
        offset: usize,
    },
    /// A list has more entries than are accepted.
    #[error("the field {field} at byte {offset} has {found} entries, at most {max} are accepted")]
    TooMany {
        /// Its name.
        field: Field,
        /// First byte of the list.
        offset: usize,
        /// Most accepted.
        max: usize,
        /// Entries found.
        found: usize,
    },
    /// A field has a value of another type, or out of range.
    #[error("the field {field} at byte {offset} does not have a value of its type")]
    Type {
        /// Its name.
        field: Field,
        /// First byte of the value.
        offset: usize,
    },
    /// A field that the contract does not have here.
    #[error("the field at byte {offset} is not known here")]
    Unknown {
        /// First byte of its name.
        offset: usize,
    },
    /// The contract does not have this value.
    #[error("the value of the field {field} at byte {offset} is not known")]
    UnknownValue {
        /// Its name.
        field: Field,
        /// First byte of the value.
        offset: usize,
    },
    /// The contract has this value, and we do not support it yet.
    #[error("{value} is not supported yet")]
    Unsupported {
        /// The value, as the contract spells it.
        value: &'static str,
    },
}

/// The members of an object that were not taken yet.
pub(crate) struct Fields<'a> {
    members: Vec<Member<'a>>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(value: Value<'a>) -> Result<Self, FieldError> {
        let offset = value.offset;
        match value.kind {
            Kind::Object(members) => Ok(Self { members }),
            _ => Err(FieldError::NotAnObject { offset }),
        }
    }

    /// An optional field; `null` is absence.
    pub(crate) fn optional(&mut self, field: Field) -> Option<Value<'a>> {
        let at = self.members.iter().position(|m| m.key == field)?;
        let value = self.members.swap_remove(at).value;
        (value.kind != Kind::Null).then_some(value)
    }

    pub(crate) fn required(&mut self, field: Field) -> Result<Value<'a>, FieldError> {
        self.optional(field).ok_or(FieldError::Missing { field })
    }

    pub(crate) fn string(&mut self, field: Field) -> Result<(Cow<'a, str>, usize), FieldError> {
        string(self.required(field)?, field)
    }

    pub(crate) fn list(&mut self, field: Field, max: usize) -> Result<Vec<Value<'a>>, FieldError> {
        let value = self.required(field)?;
        let offset = value.offset;
        let Kind::List(list) = value.kind else {
            return Err(FieldError::Type { field, offset });
        };
        let found = list.len();
        if found > max {
            return Err(FieldError::TooMany {
                field,
                offset,
                max,
                found,
            });
        }
        Ok(list)
    }

    /// `false` where it is absent.
    pub(crate) fn flag(&mut self, field: Field) -> Result<bool, FieldError> {
        match self.optional(field) {
            None => Ok(false),
            Some(value) => match value.kind {
                Kind::Bool(flag) => Ok(flag),
                _ => Err(FieldError::Type {
                    field,
                    offset: value.offset,
                }),
            },
        }
    }

    /// One of the values we support. Of the others, those of the contract are named.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        field: Field,
        supported: &[(&'static str, T)],
        unsupported: &[&'static str],
    ) -> Result<T, FieldError> {
        let (text, offset) = self.string(field)?;
        if let Some((_, value)) = supported.iter().find(|(name, _)| *name == text) {
            return Ok(*value);
        }
        Err(match unsupported.iter().find(|name| **name == text) {
            Some(value) => FieldError::Unsupported { value },
            None => FieldError::UnknownValue { field, offset },
        })
    }

    /// Ends the object.
    pub(crate) fn finish(self) -> Result<(), FieldError> {
        // The first in the text, whatever was taken from between.
        match self.members.iter().map(|member| member.offset).min() {
            None => Ok(()),
            Some(offset) => Err(FieldError::Unknown { offset }),
        }
    }
}

pub(crate) fn string<'a>(
    value: Value<'a>,
    field: Field,
) -> Result<(Cow<'a, str>, usize), FieldError> {
    let offset = value.offset;
    match value.kind {
        Kind::String(text) => Ok((text, offset)),
        _ => Err(FieldError::Type { field, offset }),
    }
}
