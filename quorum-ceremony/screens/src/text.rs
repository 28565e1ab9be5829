//! Text that cannot steer a terminal.

use std::fmt;

use quorate_twins::visible;

/// Longest text in characters; what is longer is cut and says so.
pub const MAX_TEXT: usize = 4096;

/// Text without control and direction characters, of at most [`MAX_TEXT`] characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Takes text from anywhere. A tab and a line break become a space, other control and direction
    /// characters the replacement character.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let line = |char| match char {
            '\t' | '\n' | '\r' => ' ',
            other => other,
        };
        let in_a_line: String = text.chars().take(MAX_TEXT).map(line).collect();
        let mut clean = visible(&in_a_line);
        if text.chars().nth(MAX_TEXT).is_some() {
            clean.push_str(" (cut)");
        }
        Self(clean)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_fails_closed() {
        let hostile = Text::new("\u{1b}[2J\u{202e}olleh\u{7}\u{9b}31m\ta\nb\u{200b}");
        assert_eq!(
            hostile.as_str(),
            "\u{fffd}[2J\u{fffd}olleh\u{fffd}\u{fffd}31m a b\u{fffd}"
        );
    }

    #[test]
    fn a_text_that_is_too_long_fails_closed() {
        let long = Text::new(&"a".repeat(MAX_TEXT + 1));
        assert_eq!(long.as_str().len(), MAX_TEXT + " (cut)".len());
        assert!(long.as_str().ends_with("a (cut)"));
        let just = "a".repeat(MAX_TEXT);
        assert_eq!(Text::new(&just).as_str(), just);
    }
}
