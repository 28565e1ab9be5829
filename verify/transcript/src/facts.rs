//! What a line says, in words, with nothing in it that steers a terminal or a page.

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::transcript::Fact;
use quorate_twins::{rfc3339, visible};

use crate::acting;

/// A line in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub about: String,
    /// What it says.
    pub text: String,
}

/// A fact in words.
#[must_use]
pub fn say(fact: &Fact) -> Said {
    let (about, text): (String, String) = match fact {
        Fact::Tool(name, version) => ("tool".into(), format!("{name} {version}")),
        Fact::Object(label, digest) => (label.to_string(), digest.to_string()),
        Fact::Document(sha256) => ("attestation document".into(), sha256.to_string()),
        Fact::Register(index, value) => (format!("PCR{index}"), value.to_string()),
        Fact::Nonce(nonce) => ("own nonce".into(), hex(nonce.as_slice())),
        Fact::Age(milliseconds) => ("age when verified".into(), format!("{milliseconds} ms")),
        Fact::Attested(time) => ("attested at".into(), moment(*time)),
        Fact::Module(module) => ("enclave".into(), module.to_string()),
        Fact::Root(root) => (
            "attestation root".into(),
            format!("{} ({})", root.fingerprint, root.partition),
        ),
        Fact::Safe => ("verdict".into(), "safe".into()),
        Fact::Refused(code, text) => ("verdict".into(), format!("refused, {code}: {text}")),
        Fact::During(act) => ("during".into(), act.name().into()),
        Fact::Share(index, epoch) => (
            "own share".into(),
            format!("index {}, epoch {epoch}", index.0.get()),
        ),
        Fact::Count(has, needs) => ("shares in the enclave".into(), format!("{has} of {needs}")),
        Fact::Role(role) => (
            "in the role of".into(),
            match role {
                quorate_protocol::members::Role::ManifestSet => "manifest set".into(),
                quorate_protocol::members::Role::ShareSet => "share set".into(),
            },
        ),
        Fact::Token(model, serial, firmware) => (
            "token".into(),
            format!("{model}, serial {serial}, firmware {firmware}"),
        ),
        Fact::File(what, sha256) => (what.to_string(), format!("SHA-256 {sha256}")),
        Fact::Remark(about, text) => match acting::shown(fact) {
            Some(delegation) => {
                let (text, until) = acting::describe(delegation.unverified());
                (
                    about.to_string(),
                    format!("{text}, until {}", moment(until)),
                )
            }
            None => (about.to_string(), text.to_string()),
        },
    };
    Said {
        about: visible(&about),
        text: visible(&text),
    }
}

/// A time in RFC 3339, or as the number it is where no calendar has it.
#[must_use]
pub fn moment(time: UnixMillis) -> String {
    rfc3339(time).unwrap_or_else(|| format!("{} ms after 1970", time.0))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_protocol::atoms::Text;

    #[test]
    fn a_line_that_hides_or_reorders_text_fails_closed() {
        let text = |text: &str| Text::new(text).expect("no control character");
        let said = say(&Fact::Remark(
            Text::new("ver\u{202e}dict").expect("short"),
            text("safe\u{2066}\u{200b}\u{feff}"),
        ));
        assert_eq!(said.about, "ver\u{fffd}dict");
        assert_eq!(said.text, "safe\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(visible("a\u{1b}[2K\nb"), "a\u{fffd}[2K\u{fffd}b");
        assert_eq!(visible("plain – text"), "plain – text");
    }
}
