//! `protocol/quorate.cddl`, as two other authors' validators read it, against our decoder.
//!
//! Both must accept what our decoder accepts. What it refuses must be refused by `cddl-cat`, the
//! stricter one: `cddl` takes tagged numbers for numbers, any type for a range, an unknown key for
//! an absent one, and has neither byte string literals nor a generic inside a generic, which are
//! rewritten for it.

use std::collections::BTreeMap;
use std::fs;

use cddl::ast::CDDL;
use cddl::cddl_from_str;
use cddl::validator::Validator as _;
use cddl::validator::cbor::CBORValidator;
use cddl::validator::cbor_value::decode_cbor;
use cddl_cat::cbor::validate_cbor;
use cddl_cat::context::BasicContext;
use cddl_cat::flatten::flatten_from_str;
use quorate_protocol::cbor::DecodeError;
use quorate_vectors::committed::{all_cases, folder};
use quorate_vectors::kinds::Kind;
use quorate_vectors::mutate::structures;

/// Objects longer than this are made of others that are tried by themselves.
const LONGEST: usize = 1300;

#[test]
fn every_vector_validates_against_its_rule() {
    let grammar = Grammar::read();
    for case in all_cases() {
        let at = format!("{} {}", case.label, case.name);
        assert_eq!(grammar.both(&case.label, &case.bytes), Ok(()), "{at}");
        if let Some(with) = &case.signed {
            let label = signed(&case.label);
            assert_eq!(
                grammar.both(&label, &with.cose_sign1),
                Ok(()),
                "signed {at}"
            );
        }
    }
}

/// Structural changes of every item of every vector. What our decoder refuses beyond the grammar
/// are rules and sizes that a grammar cannot say, and it says so.
#[test]
fn changed_structures_are_refused_by_both_or_accepted_by_both() {
    let grammar = Grammar::read();
    let mut tally = Tally::default();
    for case in all_cases()
        .iter()
        .filter(|case| case.bytes.len() <= LONGEST)
    {
        let kind = Kind::of(&case.label);
        tally.compare(&grammar, &case.label, kind.again, &case.bytes);
        if let (Some(kind), Some(with)) = (kind.signed, &case.signed) {
            tally.compare(&grammar, &signed(&case.label), kind.again, &with.cose_sign1);
        }
    }
    println!("{tally:?}");
    assert!(tally.refused > 10_000 && tally.accepted > 100 && tally.by_rule > 100);
    for what in [
        "a missing key",
        "an extra key",
        "another type",
        "a shorter string",
        "null",
    ] {
        assert!(
            tally.kinds.get(what).is_some_and(|count| *count > 50),
            "{what}"
        );
    }
}

type AgainFn = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    accepted: usize,
    by_rule: usize,
    /// Refused changes by what was done.
    kinds: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn compare(&mut self, grammar: &Grammar, label: &str, again: AgainFn, bytes: &[u8]) {
        for change in structures(bytes) {
            let at = format!("{label}: {} at {:?}", change.what, change.path);
            match again(&change.bytes) {
                Ok(_) => {
                    assert_eq!(grammar.both(label, &change.bytes), Ok(()), "{at}");
                    self.accepted += 1;
                }
                Err(DecodeError::Rule { .. } | DecodeError::TooLong { .. }) => self.by_rule += 1,
                Err(ours) => {
                    assert!(
                        grammar.by_cat(label, &change.bytes).is_err(),
                        "{at}: {ours}"
                    );
                    self.refused += 1;
                    *self.kinds.entry(change.what).or_default() += 1;
                }
            }
        }
    }
}

/// The grammar as each validator holds it: one that starts at the rule for each label, and one that
/// is asked for the rule.
struct Grammar {
    cddl: BTreeMap<String, CDDL<'static>>,
    cat: BasicContext,
    rules: BTreeMap<String, String>,
}

impl Grammar {
    fn read() -> Self {
        let text = fs::read_to_string(folder().join("quorate.cddl")).expect("the contract");
        let mut objects = Vec::new();
        for part in text.split("\n; object ").skip(1) {
            let (label, _) = part.split_once(',').expect("a label");
            let mut lines = part.lines();
            let rule = lines
                .find_map(|line| line.split_once(" ="))
                .expect("a rule")
                .0;
            objects.push((label.to_string(), rule.to_string()));
        }
        let mut applied = text.clone();
        let mut rules = BTreeMap::new();
        for (label, rule) in &objects {
            applied += &format!("\n{} = signed<{rule}>\n", signed(rule));
            rules.insert(signed(label), signed(rule));
            rules.insert(label.clone(), rule.clone());
        }
        let all = written_out(text, &objects);
        let cddl = rules
            .iter()
            .map(|(label, rule)| (label.clone(), starting_at(&all, rule)));
        Self {
            cddl: cddl.collect(),
            cat: BasicContext::new(flatten_from_str(&applied).expect("a grammar")),
            rules,
        }
    }

    fn by_cddl(&self, label: &str, bytes: &[u8]) -> Result<(), String> {
        let value = decode_cbor(bytes).map_err(|e| e.to_string())?;
        let mut validator = CBORValidator::new(&self.cddl[label], value, None);
        validator.validate().map_err(|e| e.to_string())
    }

    fn by_cat(&self, label: &str, bytes: &[u8]) -> Result<(), String> {
        let rule = &self.cat.rules[&self.rules[label]];
        let value = ciborium::from_reader(bytes).map_err(|e| e.to_string())?;
        validate_cbor(rule, &value, &self.cat).map_err(|e| e.to_string())
    }

    /// Accepted by both.
    fn both(&self, label: &str, bytes: &[u8]) -> Result<(), String> {
        self.by_cat(label, bytes)?;
        self.by_cddl(label, bytes)
    }
}

fn signed(what: &str) -> String {
    format!("signed-{what}")
}

/// The grammar with every use of the generic `signed<T>` as a rule of its own.
fn written_out(mut text: String, objects: &[(String, String)]) -> CDDL<'static> {
    let start = text.find("signed<T> = [").expect("the generic rule");
    let end = start + text[start..].find("\n]\n").expect("its end") + 3;
    let generic = text[start..end].to_string();
    text.replace_range(start..end, "es256 = { 1: -7 }\n");
    let generic = generic.replace("h'A10126'", "bstr .cbor es256");
    assert!(generic.contains("es256"), "the protected header");
    for (_, rule) in objects {
        text = text.replace(&format!("signed<{rule}>"), &signed(rule));
        let own = generic.replace("signed<T>", &signed(rule));
        text += &format!("\n{}\n", own.replace(".cbor T", &format!(".cbor {rule}")));
    }
    let mut rules = text.lines().filter(|line| !line.starts_with(';'));
    assert!(
        !rules.any(|line| line.contains("signed<")),
        "a signed rule that is no object"
    );
    // The grammar borrows its text, which lives as long as the test.
    cddl_from_str(text.leak(), true).expect("a grammar")
}

fn starting_at(all: &CDDL<'static>, rule: &str) -> CDDL<'static> {
    let mut grammar = all.clone();
    let mut rules = grammar.rules.iter();
    let position = rules
        .position(|r| r.name() == rule)
        .expect("a rule of the grammar");
    grammar.rules.swap(0, position);
    grammar
}
