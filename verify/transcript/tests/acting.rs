//! The line in which a surrogate shows the delegation under which they write.

mod common;

use common::{sentence, word};
use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::{Checked, Object as _, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::members::Role;
use quorate_protocol::surrogate::{Delegation, DelegationFields};
use quorate_protocol::transcript::{Fact, Leaf};
use quorate_transcript::acting::{line, shown};
use quorate_transcript::say;
use quorate_vectors::keys::{encryption, signing, verification};

fn delegation(member: &str, surrogate: &str, last: u64) -> Signed<Delegation> {
    let fields = DelegationFields {
        genesis: Digest::from_bytes([0xff; 32]),
        member: Name::new(member).expect("a name"),
        roles: vec![Role::ManifestSet, Role::ShareSet],
        surrogate: Name::new(surrogate).expect("a name"),
        signing_key: verification("grace signing"),
        encryption_key: encryption("grace encryption"),
        sequence: last,
        expires: UnixMillis(last),
        time: UnixMillis(last - 1),
    };
    let delegation = Checked::new(fields).expect("keeps the rules");
    Signed::sign(delegation, &signing("bob signing"))
}

#[test]
fn the_largest_delegation_fits_a_line() {
    let (member, surrogate) = ("m".repeat(63), "s".repeat(63));
    let largest = delegation(&member, &surrogate, u64::MAX);
    let fact = line(&largest).expect("it fits");
    assert_eq!(shown(&fact), Some(largest));
    let leaf = Leaf {
        salt: quorate_protocol::atoms::Bytes::new(vec![7; 16]).expect("16 bytes"),
        fact,
    };
    assert!(to_bytes(&leaf).len() <= Leaf::MAX);
}

#[test]
fn a_delegation_is_shown_in_words_and_nothing_else_is_one() {
    let good = delegation("bob", "grace", 1_795_262_400_000);
    let fact = line(&good).expect("it fits");
    let said = say(&fact);
    assert_eq!(said.about, "delegation");
    let begins = "grace acts for bob, manifest 1795262400000, until 2026-";
    assert!(said.text.starts_with(begins), "{}", said.text);
    let Fact::Remark(_, text) = &fact else {
        panic!("a remark");
    };
    assert_eq!(shown(&Fact::Remark(word("remark"), text.clone())), None);
    assert_eq!(shown(&Fact::Safe), None);
    // Padding, another alphabet, a byte more or less, or words: it is a remark like any other.
    let text = text.as_str();
    for other in [
        format!("{text}="),
        format!("{text}A"),
        text[1..].to_owned(),
        text.replacen(|c: char| c.is_ascii_alphanumeric(), "+", 1),
        "for carol".to_owned(),
        String::new(),
    ] {
        let fact = Fact::Remark(word("delegation"), sentence(&other));
        assert_eq!(shown(&fact), None, "{other}");
        assert_eq!(say(&fact).text, other);
    }
}
