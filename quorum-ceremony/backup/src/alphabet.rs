//! The 32 characters of the rows: Crockford's, digits and capital letters without I, L, O and U.
//!
//! Reading is lenient where hands and eyes are: small letters count as capitals, O as 0, I and L as
//! 1. `?` stands for a character that cannot be read. U and everything else is refused, by place.

/// The characters by value.
const CHARACTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a typed character means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Character(pub(crate) Option<u8>);

impl Character {
    /// Reads one character; `None` if it is not of the alphabet and not `?`.
    #[must_use]
    pub fn parse(character: char) -> Option<Self> {
        let folded = match character.to_ascii_uppercase() {
            '?' => return Some(Self(None)),
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        value(folded).map(|value| Self(Some(value)))
    }

    /// The character as it is shown.
    #[must_use]
    pub fn shown(self) -> char {
        self.0.map_or('?', character)
    }
}

/// The value of a character in its one written form.
pub(crate) fn value(character: char) -> Option<u8> {
    let byte = u8::try_from(character).ok()?;
    let place = CHARACTERS.iter().position(|known| *known == byte)?;
    u8::try_from(place).ok()
}

/// The character of a value below 32.
pub(crate) fn character(value: u8) -> char {
    CHARACTERS
        .get(usize::from(value))
        .map_or('?', |byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_is_read_as_what_it_was_written_for() {
        for symbol in 0..32 {
            let shown = character(symbol);
            assert_eq!(value(shown), Some(symbol));
            for typed in [shown, shown.to_ascii_lowercase()] {
                assert!(Character::parse(typed) == Some(Character(Some(symbol))));
            }
        }
        for (typed, meant) in [('o', '0'), ('O', '0'), ('i', '1'), ('I', '1'), ('l', '1')] {
            assert_eq!(Character::parse(typed).map(Character::shown), Some(meant));
        }
        assert_eq!(Character::parse('?').map(Character::shown), Some('?'));
    }

    #[test]
    fn other_characters_fails_closed() {
        for typed in ['U', 'u', ' ', '-', '\0', 'é', '０', '𝟘', '~'] {
            assert!(Character::parse(typed).is_none(), "{typed:?}");
        }
        assert_eq!(value('o'), None);
        assert_eq!(value('?'), None);
    }
}
