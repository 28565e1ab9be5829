//! How far an upload is, on standard error: drawn over itself on a terminal, a line for each tenth
//! elsewhere. Small binaries are sent before anybody could read that they are.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_quorum_ceremony::upload::Progress;

use crate::output::Output;

/// From this size on progress is shown.
const LARGE: u64 = 8 * 1024 * 1024;
/// How often a bar is redrawn.
const TICK: Duration = Duration::from_millis(80);

/// Shows uploads.
pub(super) struct Shown {
    output: Output,
    bar: Option<ProgressBar>,
    /// The application under way, and how many tenths of it were shown.
    shown: Option<(String, u64)>,
}

impl Shown {
    pub(super) const fn new(output: Output) -> Self {
        Self {
            output,
            bar: None,
            shown: None,
        }
    }

    /// Shows one step.
    pub(super) fn tell(&mut self, progress: Progress<'_>) {
        let Progress { received, size, .. } = progress;
        if size < LARGE {
            return;
        }
        let tenths = received.saturating_mul(10).checked_div(size).unwrap_or(10);
        let name = progress.application.as_str();
        let newest = (name.to_owned(), tenths);
        if self.shown.as_ref() == Some(&newest) && !self.output.is_lively() {
            return;
        }
        self.shown = Some(newest);
        let again = match progress.reconnected {
            0 => String::new(),
            count => format!(", connected again {count} times"),
        };
        let line = format!(
            "uploading {name}: {} of {}{again}",
            HumanBytes(received),
            HumanBytes(size)
        );
        if self.output.is_lively() {
            let bar = self.bar.get_or_insert_with(spinner);
            bar.set_message(line);
        } else {
            self.output.note(&line);
        }
    }

    /// Nothing more is uploaded.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>9}  {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
