//! The report: read back by Python's parser, with everything hostile in it that an object can hold.

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};

use common::{Draft, object, sentence, transcript, vector, word};
use quorate_protocol::atoms::{Text, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::transcript::{Act, EntryBytes, Fact, Transcript};
use quorate_transcript::report::Report;
use quorate_transcript::{Expected, verify};

const NOW: UnixMillis = UnixMillis(common::START);

/// Reads a page with `html.parser` and complains about what no page of ours may have.
const READER: &str = r#"
import sys
from html.parser import HTMLParser
VOID = {"meta"}
ALLOWED = {"html", "head", "meta", "title", "style", "body", "p", "h1", "h2", "h3", "table", "tr",
           "th", "td", "section", "div", "pre", "ul", "li", "span"}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "class", "role", "scope"}
class Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.text, self.count = [], [], [], 0
    def handle_starttag(self, tag, attributes):
        self.count += 1
        if tag not in ALLOWED:
            self.faults.append(f"element {tag}")
        for name, value in attributes:
            if name not in ATTRIBUTES:
                self.faults.append(f"attribute {name} of {tag}")
        if tag not in VOID:
            self.open.append(tag)
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"end of {tag}")
    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)
    def handle_comment(self, data):
        self.faults.append("a comment")
    def handle_pi(self, data):
        self.faults.append("an instruction")
    def unknown_decl(self, data):
        self.faults.append("a declaration")
reader = Reader()
reader.feed(sys.stdin.buffer.read().decode("utf-8"))
reader.close()
if reader.open:
    reader.faults.append("open: " + " ".join(reader.open))
print("\n".join(reader.faults) if reader.faults else "good", reader.count)
print("".join(reader.text))
"#;

/// What the parser says of a page, and the text a reader would see.
fn read(page: &str) -> (String, String) {
    let mut child = Command::new("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(page.as_bytes()).expect("a page");
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (verdict, text) = text.split_once('\n').expect("a verdict");
    (verdict.into(), text.into())
}

fn page(transcript: &Transcript) -> (String, serde_json::Value) {
    let verified = verify(transcript, &Expected::default()).expect("it holds");
    let report = Report::new(transcript, &verified, None, NOW, "a <tool>");
    (report.html(), report.json())
}

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "\"><a href=\"https://example.com\">",
    "' onmouseover='alert(1)",
    "&lt;script&gt;&#x3c;script&#x3e;",
    "<!-- --!> ]]> <?php ?>",
    "</style><style>@import url(https://example.com)</style>",
    "\u{202e}elbaresrever\u{2066}\u{200b}",
];

#[test]
fn hostile_texts_in_a_report_fails_closed() {
    let mut before = None;
    let mut entries = Vec::new();
    for act in [Act::Attest, Act::Provision, Act::Refusal] {
        let mut draft = match &before {
            None => Draft::new("alice", 1),
            Some(entry) => Draft::after("alice", entry),
        };
        draft.act = act;
        draft.facts = Vec::new();
        for text in HOSTILE {
            let short: String = text.chars().take(20).collect();
            draft.facts.extend([
                Fact::Remark(word(&short), sentence(text)),
                Fact::Refused(word(&short), sentence(text)),
                Fact::Token(word(&short), word(&short), word(&short)),
                Fact::Module(Text::new(text).expect("short")),
                object(&short, 7),
            ]);
        }
        let entry = draft.entry();
        before = Some(entry.clone());
        entries.push(entry);
    }
    let transcript = transcript(&entries.iter().collect::<Vec<_>>());
    let (html, json) = page(&transcript);
    let (verdict, text) = read(&html);
    assert!(verdict.starts_with("good "), "{verdict}");
    // A person reads what was written, as text.
    for text_of in HOSTILE.iter().take(7) {
        assert!(text.contains(text_of), "{text_of}");
    }
    for hidden in ['\u{202e}', '\u{2066}', '\u{200b}'] {
        assert!(!html.contains(hidden) && !json.to_string().contains(hidden));
    }
    for word in ["<script", "<img", "<a ", "href=", "src="] {
        let style = html
            .split("</style>")
            .nth(1)
            .expect("after the style sheet");
        assert!(!style.contains(word), "{word}");
    }
    assert_eq!(json["refusals"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["shares_given"].as_array().map(Vec::len), Some(1));
}

/// The reader complains: otherwise the test above could not fail.
#[test]
fn the_reader_of_pages_refuses_what_it_must() {
    for page in [
        "<p>open",
        "<p></div>",
        "<script></script>",
        "<p onclick=\"x\"></p>",
        "<!-- x -->",
        "<a href=\"https://example.com\"></a>",
    ] {
        assert!(!read(page).0.starts_with("good"), "{page}");
    }
    assert_eq!(
        read("<p>a &lt;b&gt;</p>"),
        ("good 1".into(), "a <b>\n".into())
    );
}

#[test]
fn a_development_root_is_said_in_every_section() {
    let (html, json) = page(&vector("after the first manifest"));
    let (verdict, text) = read(&html);
    assert!(verdict.starts_with("good "), "{verdict}");
    let sections = html.matches("<section>").count();
    let said = html
        .matches("<span class=\"red\">(development root)</span>")
        .count();
    assert!(sections > 7 && sections == said, "{said} of {sections}");
    assert_eq!(text.matches("DEVELOPMENT ROOT: a rehearsal.").count(), 2);
    assert_eq!(json["development"], true);
}

/// The page and the object tell the same.
#[test]
fn page_and_json_say_the_same() {
    let (html, json) = page(&vector("after the first manifest"));
    let (_, text) = read(&html);
    for pointer in [
        "/fingerprint/hex",
        "/genesis",
        "/definition",
        "/people/0/signing_key",
        "/manifests/0/digest",
        "/manifests/0/measurements/pcr0",
        "/manifests/0/applications/0/sha256",
        "/manifests/0/approved_by/0/name",
        "/genesis_measurements/pcr0",
        "/attested/0/lines/2/text",
        "/shares_given/0/digest",
        "/records/0/digest",
        "/check/1",
        "/notes/0",
    ] {
        let value = json.pointer(pointer).and_then(|value| value.as_str());
        let value = value.unwrap_or_else(|| panic!("{pointer} in {json:#}"));
        assert!(text.contains(value), "{pointer}: {value}");
    }
    for word in json["fingerprint"]["words"].as_array().expect("words") {
        assert!(text.contains(word.as_str().expect("a word")));
    }
}

#[test]
fn a_withheld_line_is_shown_as_withheld() {
    let mut draft = Draft::new("alice", 1);
    draft.facts = vec![Fact::Remark(word("x"), sentence("a secret"))];
    let mut fields = draft.entry().into_inner();
    fields.openings.clear();
    let entry = Checked::new(fields).expect("no line shown");
    let mut whole = transcript(&[]).into_inner();
    let bytes = quorate_protocol::cbor::to_bytes(&entry);
    whole.entries = vec![EntryBytes::new(bytes).expect("short")];
    let (html, json) = page(&Checked::new(whole).expect("few"));
    assert!(html.contains("withheld; its digest is ") && !html.contains("a secret"));
    assert!(json.pointer("/records/0/lines/0/withheld").is_some());
}
