//! `protocol/quorate.cddl` and the code name the same ports, labels, sizes and numbers.

use std::collections::BTreeMap;
use std::fs;

use quorate_protocol::activity::{AppReason, PolicyRequest, PolicyResponse};
use quorate_protocol::control::DialReason;
use quorate_protocol::egress::{EgressReason, EgressRequest, EgressResponse};
use quorate_protocol::frame::Sizes;
use quorate_protocol::message::{Reason, Request, Response};
use quorate_protocol::{FORMAT, ports};
use quorate_vectors::committed::folder;
use quorate_vectors::kinds::KINDS;

fn cddl() -> String {
    fs::read_to_string(folder().join("quorate.cddl")).expect("the contract")
}

/// The number after `NAME =`.
fn constant(text: &str, name: &str) -> u64 {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    let value = value
        .unwrap_or_else(|| panic!("{name} is not in the contract"))
        .trim_start();
    let digits = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    value[..digits].parse().expect("a number")
}

/// The lines from `RULE =` to the next empty line.
fn rule<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("\n{name} =")).expect("the rule") + 1;
    let rest = &text[start..];
    &rest[..rest.find("\n\n").unwrap_or(rest.len())]
}

/// `object LABEL, at most N bytes` lines.
fn objects(text: &str) -> BTreeMap<String, usize> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("; object "));
    lines
        .map(|line| {
            let (label, size) = line.split_once(", at most ").expect("label and size");
            let size = size.strip_suffix(" bytes").expect("bytes");
            (label.into(), size.parse().expect("a size"))
        })
        .collect()
}

#[test]
fn ports_are_those_of_the_contract() {
    let text = cddl();
    assert_eq!(constant(&text, "operator-port"), u64::from(ports::OPERATOR));
    assert_eq!(constant(&text, "public-port"), u64::from(ports::PUBLIC));
    assert_eq!(
        constant(&text, "application-port"),
        u64::from(ports::FIRST_APPLICATION)
    );
    assert_eq!(constant(&text, "egress-port"), u64::from(ports::EGRESS));
    let written = text
        .lines()
        .filter(|line| line.contains("-port ") && line.contains('='));
    assert_eq!(written.count(), 4, "a port that this test does not know");
}

#[test]
fn labels_and_sizes_are_those_of_the_contract() {
    let ours: BTreeMap<_, _> = KINDS
        .iter()
        .map(|kind| (kind.label.into(), kind.max))
        .collect();
    assert_eq!(objects(&cddl()), ours);
}

/// The list of kinds is complete: no label of the source is missing.
#[test]
fn every_label_in_the_source_is_an_object_or_a_sealing_of_the_contract() {
    let text = cddl();
    let mut found = 0;
    for entry in fs::read_dir(folder().join("core/src")).expect("the source") {
        let source = fs::read_to_string(entry.expect("a file").path()).expect("text");
        for literal in source.split('"').skip(1).step_by(2) {
            if literal.starts_with("quorate/") {
                let object = text.contains(&format!("; object {literal}, "));
                assert!(
                    object || text.contains(&format!("\"{literal}\"")),
                    "{literal}"
                );
                found += 1;
            }
        }
    }
    assert_eq!(
        found,
        KINDS.len() + 10,
        "labels in the source: objects and ten sealings"
    );
}

#[test]
fn message_sizes_are_those_of_the_contract() {
    fn compare<S: Sizes>(text: &str, first: u8) {
        let mut kinds = first;
        for line in text.lines() {
            let (_, rest) = line.split_once('[').expect("a message");
            let digits = rest.find([',', ']']).expect("a kind");
            let kind: u8 = rest[..digits].parse().expect("a number");
            let (_, size) = rest.split_once("at most ").expect("a size");
            let size = size.strip_suffix(" bytes").expect("bytes");
            assert_eq!(
                S::largest(kind),
                Some(size.parse().expect("a number")),
                "kind {kind}"
            );
            assert_eq!(kind, kinds, "kinds are numbered from {first}");
            kinds += 1;
        }
        let mut others = (0..first).chain(kinds..=u8::MAX);
        assert!(others.all(|kind| S::largest(kind).is_none()));
    }
    let text = cddl();
    compare::<Request>(rule(&text, "request"), 0);
    compare::<Response>(rule(&text, "response"), 0);
    compare::<PolicyRequest>(rule(&text, "policy-request"), 1);
    compare::<PolicyResponse>(rule(&text, "policy-response"), 1);
    compare::<EgressRequest>(rule(&text, "egress-request"), 1);
    compare::<EgressResponse>(rule(&text, "egress-response"), 1);
}

#[test]
fn format_is_that_of_the_contract() {
    assert_eq!(constant(&cddl(), "format"), u64::from(FORMAT));
}

/// The numbers of an enumeration of the contract and the names beside them, without hyphens.
fn numbered(text: &str, name: &str) -> BTreeMap<u16, String> {
    let mut named = BTreeMap::new();
    for line in rule(text, name).lines() {
        let (number, word) = line.split_once(';').expect("a number and its name");
        let number = number
            .trim_start_matches(name)
            .trim_matches([' ', '=', '/']);
        let number = number.parse().expect("a number");
        named.insert(number, word.trim().replace('-', ""));
    }
    named
}

/// Every number of the contract's enumeration decodes to the variant it names, and no other does.
fn compare_numbers<T>(name: &str)
where
    T: std::fmt::Debug + for<'b> minicbor::Decode<'b, ()>,
{
    let named = numbered(&cddl(), name);
    for number in 0..=1000_u16 {
        let bytes = minicbor::to_vec(number).expect("a number");
        let ours = minicbor::decode::<T>(&bytes).ok();
        let ours = ours.map(|reason| format!("{reason:?}").to_lowercase());
        assert_eq!(ours.as_ref(), named.get(&number), "{name} {number}");
    }
}

#[test]
fn reasons_are_those_of_the_contract() {
    compare_numbers::<Reason>("reason");
    compare_numbers::<AppReason>("app-reason");
    compare_numbers::<EgressReason>("egress-reason");
    compare_numbers::<DialReason>("dial-reason");
}

#[test]
fn reasons_of_applications_are_called_as_in_the_contract() {
    let named = numbered(&cddl(), "app-reason");
    let ours: Vec<_> = AppReason::ALL
        .iter()
        .map(|r| r.name().replace('-', ""))
        .collect();
    assert_eq!(ours, named.into_values().collect::<Vec<_>>());
}
