//! What a rehearsal tells of each fault, and at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::fault::Fault;
use crate::failure::Failure;
use crate::output::{Render, Style, clean, error_json};

/// A fault that was injected and noticed.
pub(super) struct Told {
    pub(super) fault: Fault,
    /// The member it happened to.
    pub(super) who: String,
    /// What the tool said, as that member, or whoever noticed it, sees it.
    pub(super) said: Failure,
    /// Who stood in, where somebody did.
    pub(super) instead: Option<String>,
    pub(super) outcome: Outcome,
}

/// What became of the ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It went on after the remedy.
    WentOn,
    /// It stopped, as it must.
    Stopped,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::WentOn => "went-on",
            Self::Stopped => "stopped",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::WentOn => "the ceremony goes on",
            Self::Stopped => "the ceremony stops here, as it must",
        }
    }
}

impl Told {
    /// The same for people, a line each.
    pub(super) fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let head = format!("fault {} at {}", self.fault.word(), self.fault.step());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", style.yellow(&head));
        let remedied = self.fault.remedied(&self.who, self.instead.as_deref());
        let said = format!("error[{}]: {}", self.said.code, clean(&self.said.what));
        for (what, words) in [
            ("injected", self.fault.injected(&self.who)),
            ("noticed by", self.fault.noticed_by(&self.who)),
            ("the tool said", said),
            ("fault", self.said.fault.to_string()),
            ("do", clean(&self.said.remedy)),
            ("what was done", remedied),
            ("so", self.outcome.words().into()),
        ] {
            let _ = writeln!(text, "  {what:<14} {words}");
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "fault": self.fault.word(),
            "step": self.fault.step(),
            "member": self.who,
            "injected": self.fault.injected(&self.who),
            "noticed_by": self.fault.noticed_by(&self.who),
            "error": error_json(&self.said),
            "remedied": self.fault.remedied(&self.who, self.instead.as_deref()),
            "instead": self.instead,
            "outcome": self.outcome.word(),
        })
    }
}

/// Where the results are.
pub(super) struct Kept {
    folder: PathBuf,
    /// Whether there is evidence among them.
    evidence: bool,
}

impl Kept {
    pub(super) fn new(folder: &Path, stopped: bool) -> Self {
        Self {
            folder: folder.to_owned(),
            evidence: !stopped,
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// The end of a rehearsal.
pub(super) struct Ending {
    pub(super) members: usize,
    pub(super) threshold: u8,
    pub(super) genesis: String,
    pub(super) told: Vec<Told>,
    /// Whether it stopped before the enclave had the key.
    pub(super) stopped: bool,
    pub(super) timings: BTreeMap<&'static str, Duration>,
    pub(super) kept: Option<Kept>,
}

impl Render for Ending {
    fn text(&self, style: Style) -> String {
        let mut text = String::from("\n");
        for told in &self.told {
            text.push_str(&told.text(style));
            text.push('\n');
        }
        let warning = "A REHEARSAL under a DEVELOPMENT root: this proves nothing about any \
                       hardware, and opens no real key.";
        let _ = writeln!(text, "{}", style.red(warning));
        let _ = writeln!(text, "people    {}, any {}", self.members, self.threshold);
        let _ = writeln!(
            text,
            "faults    {} injected, {} noticed",
            self.told.len(),
            self.told.len()
        );
        let _ = writeln!(
            text,
            "ended     {}",
            match self.stopped {
                true => "stopped without the key, as it must",
                false => "the enclave has the key; its evidence is refused without this root",
            }
        );
        let _ = writeln!(text, "genesis   {}", self.genesis);
        if let Some(kept) = &self.kept {
            let _ = writeln!(text, "kept      {}", kept.folder.display());
        }
        let total = self.timings.get("total").copied().unwrap_or_default();
        let _ = writeln!(text, "took      {:.2} s", total.as_secs_f64());
        text
    }

    fn json(&self) -> Value {
        let milliseconds = |took: &Duration| (took.as_secs_f64() * 1e6).round() / 1e3;
        let timings: BTreeMap<_, _> = self
            .timings
            .iter()
            .map(|(name, took)| (*name, milliseconds(took)))
            .collect();
        let kept = self.kept.as_ref();
        let evidence = kept.filter(|kept| kept.evidence);
        json!({
            "ok": true,
            "rehearsal": true,
            "development": true,
            "members": self.members,
            "threshold": self.threshold,
            "genesis": self.genesis,
            "faults": self.told.iter().map(Told::json).collect::<Vec<_>>(),
            "ended": match self.stopped {
                true => "stopped",
                false => "running",
            },
            "out": kept.map(|kept| kept.folder.display().to_string()),
            "evidence": evidence.map(|kept| kept.path("evidence.cbor")),
            "root": kept.map(|kept| kept.path("development-root.pem")),
            "transcript": kept.map(|kept| kept.path("transcript.cbor")),
            "report": evidence.map(|kept| kept.path("report.html")),
            "timings_ms": timings,
        })
    }
}
