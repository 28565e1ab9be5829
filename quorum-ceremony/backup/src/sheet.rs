//! The sheet to print: one page, as plain text or as one HTML file with nothing outside it.
//!
//! Its parts are always the same, in the same order: title, warning, which share it is, the rows,
//! what to do. The HTML page has no script, loads nothing, and has the QR code as well; it is made
//! for paper, black on white.
//!
//! The whole genesis digest is on it. Who lost everything but this paper knows from it which
//! genesis to trust; nothing in a ceremony's shared folder can tell them.

use core::fmt::Write as _;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Epoch, Genesis};
use quorate_twins::rfc3339;
use zeroize::Zeroizing;

use crate::payload::{Backup, Origin};
use crate::qr::QrError;
use crate::rows::Row;

const TITLE: &str = "Quorate: one share of a quorum key";
const WARNING: &str = "SECRET. Whoever reads these rows has this share. With as many shares as the \
threshold they have the key itself. One share alone opens nothing, and signs nothing in your name.";
const REHEARSAL: &str = "REHEARSAL: this share was made under a development root and opens no real \
key.";
const DO: [&str; 5] = [
    "Keep it as you would keep a key: sealed, dry, away from the computer, and where you would \
notice that it was opened. Do not photograph it, scan it or send it.",
    "To restore: quorate ceremony share restore --folder F --private P, and type the rows. Type ? \
for a character you cannot read. In each row one wrong or three unreadable characters are repaired.",
    "Letters are read large or small; O is read as 0, I and L as 1. There is no U.",
    "It restores the share, not your keys. Keep a copy of key.cbor and its passphrase apart from \
this paper; without them the other members must approve a manifest that names new keys of yours, or \
reshare. If your private folder is lost as well, give the 64 digits of the genesis with --genesis: \
they say which key is yours, and no shared folder can.",
    "Destroy it when the shares are replaced (reshare): the order names this epoch as old.",
];

/// What the sheet says about the share, beside the share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The namespace's name.
    pub namespace: Name,
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// Who holds the share.
    pub member: Name,
    /// Of which commitments it is.
    pub epoch: Epoch,
    /// Members of the share set.
    pub members: u8,
    /// How many of them open the key.
    pub threshold: u8,
    /// When the sheet was made.
    pub time: UnixMillis,
}

impl Facts {
    fn date(&self) -> String {
        let date = rfc3339(self.time).and_then(|text| text.get(..10).map(str::to_owned));
        date.unwrap_or_else(|| "unknown".to_owned())
    }

    fn lines(&self, backup: &Backup) -> [(&'static str, String); 6] {
        let index = backup.label().index;
        [
            ("namespace", self.namespace.to_string()),
            ("member", self.member.to_string()),
            (
                "share",
                format!(
                    "index {} of {}, {} of them open the key",
                    index.get(),
                    self.members,
                    self.threshold
                ),
            ),
            ("genesis", grouped(&self.genesis.to_string())),
            ("epoch", grouped(&self.epoch.to_string())),
            ("date", self.date()),
        ]
    }
}

/// A digest in groups of eight digits.
fn grouped(digest: &str) -> String {
    let mut text = String::with_capacity(digest.len() + digest.len() / 8);
    for (at, digit) in digest.chars().enumerate() {
        if at > 0 && at % 8 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

impl Backup {
    /// The sheet as plain text of at most 78 columns.
    #[must_use]
    pub fn sheet(&self, facts: &Facts) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(8 * 1024));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{TITLE}\n{}\n", "=".repeat(TITLE.len()));
        if self.label().origin == Origin::Rehearsal {
            wrap(&mut text, "", REHEARSAL);
            text.push('\n');
        }
        wrap(&mut text, "", WARNING);
        text.push('\n');
        for (name, value) in facts.lines(self) {
            wrap(&mut text, &format!("{name:<10} "), &value);
        }
        text.push('\n');
        for row in self.rows() {
            let _ = write!(text, "    row {}  ", row.number());
            text.push_str(&row.text());
            text.push_str("\n\n");
        }
        for (number, line) in (1..).zip(DO) {
            wrap(&mut text, &format!("{number}. "), line);
        }
        text
    }

    /// The sheet as one HTML page, with the QR code.
    ///
    /// # Errors
    /// As [`Backup::qr`].
    pub fn page(&self, facts: &Facts) -> Result<Zeroizing<String>, QrError> {
        let code = self.qr()?;
        let mut page = Zeroizing::new(String::with_capacity(64 * 1024));
        page.push_str(HEAD);
        let _ = writeln!(
            page,
            "<title>{TITLE}</title>\n</head>\n<body>\n<h1>{TITLE}</h1>"
        );
        if self.label().origin == Origin::Rehearsal {
            let _ = writeln!(page, "<p class=\"warning\">{REHEARSAL}</p>");
        }
        let _ = writeln!(
            page,
            "<p class=\"warning\">{WARNING}</p>\n<table class=\"facts\">"
        );
        // Names and digests have alphabets of their own, in which nothing must be escaped.
        for (name, value) in facts.lines(self) {
            let _ = writeln!(
                page,
                "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>"
            );
        }
        page.push_str("</table>\n<table class=\"rows\">\n");
        for row in self.rows() {
            table_row(&mut page, &row);
        }
        let _ = write!(
            page,
            "</table>\n<svg role=\"img\" aria-label=\"The same share as a QR code\" \
             viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\"><path d=\"",
            side = code.side(),
        );
        page.push_str(&code.svg_path());
        page.push_str("\"/></svg>\n<ol>\n");
        for line in DO {
            let _ = writeln!(page, "<li>{line}</li>");
        }
        page.push_str("</ol>\n</body>\n</html>\n");
        Ok(page)
    }
}

fn table_row(page: &mut String, row: &Row) {
    let _ = write!(page, "<tr><th scope=\"row\">row {}</th><td>", row.number());
    page.push_str(&row.text());
    page.push_str("</td></tr>\n");
}

/// Words in lines of at most 78 columns, the first after `lead`, the others below it.
fn wrap(text: &mut String, lead: &str, words: &str) {
    let mut column = lead.len();
    text.push_str(lead);
    let mut first = true;
    for word in words.split(' ') {
        if !first && column + 1 + word.len() > 78 {
            text.push('\n');
            text.extend(core::iter::repeat_n(' ', lead.len()));
            column = lead.len();
        } else if !first {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
        first = false;
    }
    text.push('\n');
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"robots\" content=\"noindex\">
<style>
@page { size: auto; margin: 15mm; }
body { color: #000; background: #fff; font: 11pt/1.4 serif; max-width: 180mm; margin: auto; }
h1 { font-size: 16pt; }
.warning { border: 2pt solid #000; padding: 2mm 3mm; font-weight: bold; }
table { border-collapse: collapse; margin: 4mm 0; }
th { text-align: left; font-weight: normal; padding: 0 4mm 0 0; white-space: nowrap; vertical-align: top; }
td { font-family: monospace; }
.rows td { font-size: 20pt; letter-spacing: 0.06em; line-height: 1.8; white-space: pre; }
svg { width: 45mm; height: 45mm; }
ol { padding-left: 5mm; }
table, svg, li { break-inside: avoid; }
</style>
";

#[cfg(test)]
mod tests;
