//! Text from outside, made harmless for eyes.

/// The text with every character that is not seen where it stands made visible: controls, and
/// those that reorder or hide what stands around them.
#[must_use]
pub fn visible(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{ad}'
                    | '\u{61c}'
                    | '\u{180e}'
                    | '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{2069}'
                    | '\u{feff}'
                    | '\u{fff9}'..='\u{fffb}'
                    | '\u{e0000}'..='\u{e007f}'
            )
    };
    text.chars()
        .map(|c| {
            if odd(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_hides_fails_closed() {
        assert_eq!(
            visible("ok\x1b[2K\rA\u{202e}x\u{9b}\u{200b}\u{61c}\u{2028}\u{ad}"),
            "ok\u{fffd}[2K\u{fffd}A\u{fffd}x\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(visible("plain – text"), "plain – text");
    }
}
