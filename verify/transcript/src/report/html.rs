//! The page. Elements are opened and closed by [`Page::element`] alone, and text goes through
//! [`escape`] alone: so the page is well formed, and nothing that came from outside is markup. It
//! holds no script and no address; its content security policy forbids a browser both.

use quorate_protocol::digest::Digest;
use quorate_protocol::transcript::Act;
use quorate_twins::visible;
use quorate_verify::chain::Approver;

use super::{ManifestPart, Report, when};
use crate::facts::{moment, say};
use crate::verify::{Line, VerifiedRecord};
use crate::words;

/// Everything about looks. Red is for a development root and for refusals, always beside words.
const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#111;background:#fff;max-width:60rem;\
margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{font-size:1.2rem;border-bottom:1px solid #999;margin-top:2rem}\
h3{font-size:1rem}\
code,pre,td.hex{font-family:ui-monospace,monospace;font-size:.85em;overflow-wrap:anywhere}\
pre{white-space:pre-wrap;background:#f3f3f3;padding:.6rem}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;\
border-bottom:1px solid #ddd}\
.red{color:#b00020;font-weight:bold}\
.banner{border:3px solid #b00020;color:#b00020;font-weight:bold;padding:.6rem;margin:1rem 0}\
.withheld{color:#555;font-style:italic}\
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}\
tr,pre,.record{break-inside:avoid}}";

const BANNER: &str =
    "DEVELOPMENT ROOT: a rehearsal. Nothing on this page says anything about hardware.";

/// A page being written.
struct Page(String);

impl Page {
    /// An element with what `inside` writes. `open` is a tag name and attributes of this file.
    fn element(&mut self, open: &str, inside: impl FnOnce(&mut Self)) {
        let name = open.split(' ').next().unwrap_or(open);
        self.0.push('<');
        self.0.push_str(open);
        self.0.push('>');
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push_str(">\n");
    }

    fn text(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    fn say(&mut self, open: &str, text: &str) {
        self.element(open, |page| page.text(text));
    }

    fn row(&mut self, label: &str, class: &str, text: &str) {
        self.element("tr", |page| {
            page.say("th scope=\"row\"", label);
            page.say(&format!("td class=\"{class}\""), text);
        });
    }

    /// A section; under a development root it says so by itself, since pages are torn apart.
    fn section(&mut self, report: &Report<'_>, title: &str, inside: impl FnOnce(&mut Self)) {
        self.element("section", |page| {
            page.element("h2", |page| {
                page.text(title);
                if report.is_development() {
                    page.text(" ");
                    page.say("span class=\"red\"", "(development root)");
                }
            });
            inside(page);
        });
    }
}

/// Text for the inside of an element.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The whole page.
pub(super) fn page(report: &Report<'_>) -> String {
    let title = format!(
        "Ceremony report: {}",
        report.verified.definition.namespace.as_str()
    );
    let mut page = Page("<!DOCTYPE html>\n".into());
    page.element("html lang=\"en\"", |page| {
        page.element("head", |page| {
            page.0.push_str("<meta charset=\"utf-8\">\n");
            page.0.push_str(
                "<meta http-equiv=\"Content-Security-Policy\" \
                 content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
            );
            page.say("title", &title);
            // Ours alone, and without a character that would need escaping.
            page.element("style", |page| page.0.push_str(STYLE));
        });
        page.element("body", |page| {
            banner(page, report);
            page.say("h1", &title);
            head(page, report);
            people(page, report);
            manifests(page, report);
            attested(page, report);
            shares(page, report);
            forwards(page, report);
            refusals(page, report);
            evidence(page, report);
            records(page, report);
            check(page, report);
            banner(page, report);
        });
    });
    page.0
}

fn banner(page: &mut Page, report: &Report<'_>) {
    if report.is_development() {
        page.say("p class=\"banner\" role=\"alert\"", BANNER);
    }
}

fn head(page: &mut Page, report: &Report<'_>) {
    let definition = &report.verified.definition;
    let root = &definition.attestation_root;
    page.element("table", |page| {
        let genesis = report.genesis();
        let genesis = genesis.as_deref().unwrap_or("not complete");
        page.row("Genesis", "hex", genesis);
        page.row("Definition", "hex", &Digest::of(definition).to_string());
        let named = format!("{} ({})", root.fingerprint, root.partition);
        page.row("Attestation root", "hex", &named);
        let manifest = &definition.manifest_set;
        let share = &definition.share_set;
        page.row(
            "Thresholds",
            "",
            &format!(
                "{} of {} approve a manifest, {} of {} open the key",
                manifest.threshold,
                manifest.members.len(),
                share.threshold,
                share.members.len()
            ),
        );
        let age = definition.age_limit.seconds();
        page.row(
            "Attestations good for",
            "",
            &format!("{age} s from the making of the nonce"),
        );
        page.row(
            "Fingerprint",
            "hex",
            &report.verified.fingerprint.to_string(),
        );
        page.row(
            "Made",
            "",
            &format!("{} by {}", moment(report.made), report.tool),
        );
    });
    page.section(report, "Fingerprint in words", |page| {
        page.say("pre", &words::rows(&report.verified.fingerprint).join("\n"));
    });
    if !report.verified.notes.is_empty() {
        page.section(report, "To know", |page| {
            page.element("ul", |page| {
                report.notes().iter().for_each(|note| page.say("li", note));
            });
        });
    }
}

fn people(page: &mut Page, report: &Report<'_>) {
    page.section(report, "Who took part", |page| {
        page.element("table", |page| {
            header(page, &["Name", "In", "Records", "Signing key"]);
            for person in report.people() {
                page.element("tr", |page| {
                    page.say("td", &person.name);
                    page.say("td", &person.sets.join(", "));
                    page.say("td", &person.records.to_string());
                    page.say("td class=\"hex\"", &person.key);
                });
            }
        });
    });
}

fn header(page: &mut Page, titles: &[&str]) {
    page.element("tr", |page| {
        titles
            .iter()
            .for_each(|title| page.say("th scope=\"col\"", title));
    });
}

fn manifests(page: &mut Page, report: &Report<'_>) {
    page.section(report, "What may run, and who approved it", |page| {
        page.say("h3", "The genesis enclave");
        page.element("table", |page| {
            let measurements = &report.verified.definition.measurements;
            for (index, value) in measurements.registers() {
                page.row(&format!("PCR{index}"), "hex", &value.to_string());
            }
        });
        for manifest in report.manifests() {
            one_manifest(page, &manifest);
        }
    });
}

fn one_manifest(page: &mut Page, part: &ManifestPart<'_>) {
    let manifest = &part.link.manifest;
    page.say("h3", &format!("Manifest {}", manifest.sequence));
    page.element("table", |page| {
        page.row("Digest", "hex", &Digest::of(manifest).to_string());
        for (index, value) in manifest.measurements.registers() {
            page.row(&format!("PCR{index}"), "hex", &value.to_string());
        }
        for application in &manifest.applications {
            let arguments: Vec<_> = application.arguments.iter().map(|a| a.as_str()).collect();
            let text = format!("SHA-256 {} {}", application.sha256, arguments.join(" "));
            page.row(&format!("Application {}", application.name), "hex", &text);
        }
        let span = format!(
            "{} to {}",
            moment(manifest.validity.not_before),
            moment(manifest.validity.not_after)
        );
        page.row("May boot", "", &span);
        page.row("Approved by", "", &approvers(&part.manifest_set));
        if !part.share_set.is_empty() {
            page.row("And by holders", "", &approvers(&part.share_set));
        }
    });
}

fn approvers(list: &[&Approver]) -> String {
    let one = |a: &&Approver| format!("{} ({})", a.name, moment(a.time));
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn attested(page: &mut Page, report: &Report<'_>) {
    page.section(report, "What was attested", |page| {
        page.say(
            "p",
            "Each of these is the word of the member named, about a document that their own tool \
             verified. Ages are counted on their tool's own clock from the making of the nonce.",
        );
        each(page, report.attested(), "Nobody recorded an attestation.");
    });
}

fn shares(page: &mut Page, report: &Report<'_>) {
    page.section(report, "Whose share was given", |page| {
        each(page, report.of(Act::Provision), "No share was given.");
    });
}

fn forwards(page: &mut Page, report: &Report<'_>) {
    page.section(report, "Key forwards", |page| {
        page.say(
            "p",
            "Who approved that a running enclave passes the key on, and who had it done. What an \
             enclave received, and from which one, its evidence proves.",
        );
        each(page, report.of(Act::Forward), "No forward was recorded.");
    });
}

fn refusals(page: &mut Page, report: &Report<'_>) {
    page.section(report, "Refusals", |page| {
        each(page, report.of(Act::Refusal), "Nobody recorded a refusal.");
    });
}

fn evidence(page: &mut Page, report: &Report<'_>) {
    let Some(evidence) = report.evidence else {
        return;
    };
    page.section(report, "Evidence", |page| {
        page.element("table", |page| {
            page.row("SHA-256", "hex", &evidence.sha256.to_string());
            let verdict = match (evidence.report.is_accepted(), evidence.report.pinned) {
                (true, true) => "accepted",
                (true, false) => "consistent, nothing was pinned",
                (false, _) => "REJECTED",
            };
            let class = if evidence.report.is_accepted() {
                ""
            } else {
                "red"
            };
            page.row("Verdict", class, verdict);
        });
        page.element("table", |page| {
            header(page, &["Check", "Result"]);
            for check in &evidence.report.checks {
                page.element("tr", |page| {
                    page.say("td", &check.claim);
                    page.say("td", check.verdict.name());
                });
            }
        });
    });
}

fn records(page: &mut Page, report: &Report<'_>) {
    page.section(report, "Every record, causes first", |page| {
        let records = report.verified.records.iter();
        each(page, records, "There is no record.");
    });
}

fn each<'r>(page: &mut Page, records: impl Iterator<Item = &'r VerifiedRecord>, none: &str) {
    let mut records = records.peekable();
    if records.peek().is_none() {
        page.say("p", none);
    }
    records.for_each(|record| one_record(page, record));
}

fn one_record(page: &mut Page, record: &VerifiedRecord) {
    page.element("div class=\"record\"", |page| {
        let refused = record.act == Act::Refusal;
        let open = if refused { "h3 class=\"red\"" } else { "h3" };
        let title = format!(
            "{} {}: {}",
            record.author,
            record.sequence,
            record.act.name()
        );
        page.say(open, &title);
        page.element("table", |page| {
            page.row("Time", "", &when(record));
            for line in &record.lines {
                match line {
                    Line::Shown(fact) => {
                        let said = say(fact);
                        page.row(&said.about, "hex", &said.text);
                    }
                    Line::Withheld(digest) => {
                        let text = format!("withheld; its digest is {digest}");
                        page.row("Line", "withheld", &text);
                    }
                }
            }
            if !record.seen.is_empty() {
                let seen =
                    |(name, at): &(quorate_protocol::atoms::Name, u64)| format!("{name} {at}");
                let seen: Vec<_> = record.seen.iter().map(seen).collect();
                page.row("Had seen", "", &seen.join(", "));
            }
            page.row("Digest", "hex", &record.digest.to_string());
        });
    });
}

fn check(page: &mut Page, report: &Report<'_>) {
    page.section(report, "How to check it", |page| {
        page.say(
            "p",
            "Verify the transcript yourself, with a genesis digest you know from a member and the \
             words another member reads to you; do not take either from this page. Read the \
             records. If you were given the evidence, verify that too.",
        );
        page.say("pre", &report.commands().join("\n"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_fails_closed() {
        assert_eq!(
            escape("<script>\"&'</script>\u{202e}"),
            "&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;\u{fffd}"
        );
    }

    /// The style sheet is written as it is, so it must hold nothing that ends it or fetches.
    #[test]
    fn the_style_sheet_fetches_nothing() {
        for word in ["<", "&", "url", "@import", "//", "\\"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
