//! How values are written in messages.

use core::fmt;

/// A list as a person writes it: `a, b and c`.
pub(crate) struct Listed<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((last, before)) = self.0.split_last() else {
            return f.write_str("nobody");
        };
        for (place, item) in before.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{item}")?;
        }
        let and = if before.is_empty() { "" } else { " and " };
        write!(f, "{and}{last}")
    }
}

#[cfg(test)]
mod tests {
    use super::Listed;

    #[test]
    fn lists_read_as_people_write_them() {
        let text = |items: &[&str]| Listed(items).to_string();
        assert_eq!(text(&[]), "nobody");
        assert_eq!(text(&["a"]), "a");
        assert_eq!(text(&["a", "b"]), "a and b");
        assert_eq!(text(&["a", "b", "c"]), "a, b and c");
    }
}
