//! A verdict for a person.
//!
//! The text is the same facts as in JSON and decides nothing. With `--explain` it also says what the
//! facts mean: what this enclave is, since when, who signed, and what no attestation can prove.

use std::fmt::Write as _;

use quorate_attestation_report::{Check, moment};
use quorate_verify::attestation::{Attested, CertificateFacts, Partition, Pcr, StepOutcome};

use super::Shown;
use crate::output::{Style, clean, hex};

/// PCR2 of an image whose only ramdisk is the operating system's: nothing was measured into it.
fn empty_ramdisk() -> Pcr {
    Pcr::measure(&[])
}

/// The whole text.
pub(super) fn text(shown: &Shown, style: Style) -> String {
    let mut page = Page {
        style,
        text: String::new(),
    };
    headline(shown, &mut page);
    if let Some(attested) = &shown.verdict.attested {
        if shown.explain {
            explain(attested, &mut page);
        }
        facts(attested, shown, &mut page);
    }
    page.title("Checks");
    for check in &shown.verdict.checks {
        one_check(check, &mut page);
    }
    page.title("The only root trusted for this");
    page.line(&shown.root.describe());
    if shown.explain {
        limits(shown, &mut page);
    }
    page.text
}

struct Page {
    style: Style,
    text: String,
}

impl Page {
    fn put(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn title(&mut self, title: &str) {
        self.text.push('\n');
        self.put(title);
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "  {}", clean(line));
    }

    fn fact(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "  {name:<12} {}", clean(value));
    }
}

fn headline(shown: &Shown, page: &mut Page) {
    let style = page.style;
    let verdict = &shown.verdict;
    match &verdict.refusal {
        None => {
            let text = "ACCEPTED: a genuine attestation document of an enclave.";
            page.put(&style.bold(&style.green(text)));
        }
        Some(refusal) => {
            page.put(&style.red("REJECTED: do not rely on this document."));
            page.put(&style.red(&format!(
                "  {}: {}",
                refusal.code(),
                clean(&refusal.message())
            )));
            page.put(&format!("  What to do: {}", refusal.remedy()));
        }
    }
    if shown.root.anchor.partition() == Partition::Development {
        page.put(&style.red(
            "DEVELOPMENT ROOT: an emulator made this. It says nothing about hardware, and whoever \
             has the development root's key can forge it.",
        ));
    }
    if let Some(attested) = &verdict.attested
        && attested.is_debug()
    {
        page.put(&style.red(
            "DEBUG MODE: the host can read this enclave's console and memory. Give it nothing.",
        ));
    }
}

/// What it is, since when, and who signed.
fn explain(attested: &Attested, page: &mut Page) {
    let document = attested.document();
    let (instance, _) = document
        .module_id()
        .split_once("-enc")
        .unwrap_or((document.module_id(), ""));
    page.title("What this enclave is");
    page.line(&format!(
        "An enclave on the instance {instance}; PCR4 and the certificates agree."
    ));
    for (index, what) in [
        (0, "the whole image"),
        (1, "kernel and first ramdisk: the operating system"),
        (2, "the other ramdisks: the application"),
        (3, "the role of the parent instance"),
        (8, "the certificate that signed the image"),
    ] {
        let said = match document.pcrs().get(index) {
            Some(pcr) if !pcr.is_zero() && index == 2 && *pcr == empty_ramdisk() => {
                "empty: the application is in the first ramdisk, or arrives later".to_owned()
            }
            Some(pcr) if !pcr.is_zero() => pcr.to_string(),
            _ if index == 3 => "none: the instance has no role".to_owned(),
            _ if index == 8 => "none: the image is not signed".to_owned(),
            _ => "not measured: debug mode".to_owned(),
        };
        page.line(&format!("PCR{index}, {what}: {said}"));
    }
    let used: Vec<String> = (16..32)
        .filter(|index| {
            document
                .pcrs()
                .get(*index)
                .is_some_and(|pcr| !pcr.is_zero())
        })
        .map(|index| format!("PCR{index}"))
        .collect();
    if !used.is_empty() {
        page.line(&format!(
            "Extended by the enclave itself: {}.",
            used.join(", ")
        ));
    }
    page.title("Since when");
    page.line(&format!("Signed at {}.", at(document.timestamp_seconds())));
    if let Some(leaf) = attested.certificates().last() {
        page.line(&format!(
            "The certificate of its security module begins at {}.",
            at(leaf.not_before())
        ));
    }
    if let Some(started) = start(document.module_id()) {
        page.line(&format!(
            "Its module id reads as started at {}. AWS does not document that; it holds for \
             every document we know.",
            at(started)
        ));
    }
    page.title("Who signed");
    page.line(&format!(
        "The security module of that enclave, whose key is certified from the root of partition {}.",
        attested.partition()
    ));
}

/// Seconds since 1970 in a module id: the number after `-enc` is milliseconds, then 16 other bits.
fn start(module_id: &str) -> Option<u64> {
    let (_, number) = module_id.split_once("-enc")?;
    let number = u64::from_str_radix(number, 16).ok()?;
    Some((number >> 16) / 1000).filter(|started| *started > 0)
}

fn facts(attested: &Attested, shown: &Shown, page: &mut Page) {
    let document = attested.document();
    page.title(match shown.verdict.refusal {
        None => "What the security module signed",
        Some(_) => "What the security module signed; the signatures are right all the same",
    });
    page.fact("module", document.module_id());
    page.fact("signed at", &at(document.timestamp_seconds()));
    for (index, pcr) in document.pcrs().iter() {
        if !pcr.is_zero() || index < 3 {
            page.fact(&format!("PCR{index}"), &pcr.to_string());
        }
    }
    for (name, value) in [
        ("user data", document.user_data()),
        ("nonce", document.nonce()),
        ("public key", document.public_key()),
    ] {
        let value = value.map_or_else(
            || "none".to_owned(),
            |value| match value.is_empty() {
                true => "empty".to_owned(),
                false => hex(value),
            },
        );
        page.fact(name, &value);
    }
    page.title("Certificates, from the root");
    for certificate in attested.certificates() {
        one_certificate(&certificate, page);
    }
}

fn one_certificate(certificate: &CertificateFacts, page: &mut Page) {
    page.line(certificate.subject());
    page.line(&format!(
        "  {} to {}, SHA-256 {}",
        at(certificate.not_before()),
        at(certificate.not_after()),
        hex(certificate.sha256())
    ));
}

fn one_check(check: &Check, page: &mut Page) {
    let (word, claim) = (check.outcome, clean(&check.claim));
    let style = page.style;
    let word = match word {
        StepOutcome::Passed => style.green("passed  "),
        StepOutcome::Failed => style.red("FAILED  "),
        StepOutcome::NotPerformed => "not done".to_owned(),
    };
    page.put(&format!("  {word} {:<13} {claim}", check.id));
}

/// What no attestation document proves, and this one in particular.
fn limits(shown: &Shown, page: &mut Page) {
    page.title("What this does not prove");
    page.line("What the image does: rebuild it from source and compare the measurements.");
    page.line("That the enclave still runs, or that it is the only one of its kind.");
    page.line("That public key, user data and nonce are true: the enclave chose them.");
    page.line("Who runs the instance, unless you expect its role (--role-arn).");
    let Some(attested) = &shown.verdict.attested else {
        return;
    };
    if !attested.freshness().is_challenged() {
        page.line("That it was made for you: it was not asked to answer a challenge of yours.");
    }
    page.line("That no certificate was revoked: revocation lists are not looked at.");
}

/// A moment as people write it: `2027-01-15 08:00:00 UTC`.
fn at(unix: u64) -> String {
    let text = moment(unix).unwrap_or_else(|| format!("{unix} s"));
    text.replace('T', " ").replace("+00:00", " UTC")
}
