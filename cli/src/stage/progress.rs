//! What a person sees while a ceremony is played: what happens, who acts, how long it took.
//!
//! Everything goes to standard error, so that standard output holds the result alone. On a
//! terminal the step under way is drawn over itself; elsewhere each step is one line when it ends.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::output::{Output, clean};

/// How often a step under way is redrawn.
const TICK: Duration = Duration::from_millis(80);

/// Shows steps and remembers how long each took.
pub(crate) struct Progress {
    output: Output,
    started: Instant,
    timings: BTreeMap<&'static str, Duration>,
}

/// A step under way.
pub(crate) struct Pending {
    name: &'static str,
    who: String,
    spinner: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            output,
            started: Instant::now(),
            timings: BTreeMap::new(),
        }
    }

    /// A line between steps.
    pub(crate) fn say(&self, line: &str) {
        self.output.note(line);
    }

    /// Begins one step. `name` is also its key among the timings, `who` says who does what.
    pub(crate) fn begin(&self, name: &'static str, who: &str) -> Pending {
        let who = clean(who);
        let spinner = self.output.is_lively().then(|| spinner(name, &who));
        Pending {
            name,
            who,
            spinner,
            started: Instant::now(),
        }
    }

    /// Ends it: shows and remembers how long it took.
    pub(crate) fn end<T>(&mut self, pending: Pending, outcome: &Result<T, Failure>) {
        let Pending {
            name,
            who,
            spinner,
            started,
        } = pending;
        let took = started.elapsed();
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let style = self.output.progress_style();
        let mark = match outcome {
            Ok(_) => style.green("ok    "),
            Err(_) => style.red("FAILED"),
        };
        let name_shown = style.bold(&format!("{name:<17}"));
        let took_shown = format!("{:>6.2} s", took.as_secs_f64());
        self.output
            .note(&format!("{mark} {took_shown}  {name_shown}  {who}"));
        self.timings.insert(name, took);
    }

    /// Adds a duration that is no step of its own.
    pub(crate) fn measured(&mut self, name: &'static str, took: Duration) {
        self.timings.insert(name, took);
    }

    /// Every duration so far, and the total.
    pub(crate) fn timings(&self) -> BTreeMap<&'static str, Duration> {
        let mut timings = self.timings.clone();
        timings.insert("total", self.started.elapsed());
        timings
    }
}

fn spinner(name: &str, who: &str) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {elapsed:>9}  {prefix:17}  {wide_msg}")
    {
        spinner.set_style(style);
    }
    spinner.set_prefix(name.to_owned());
    spinner.set_message(who.to_owned());
    spinner.enable_steady_tick(TICK);
    spinner
}
