//! What init says on its console.
//!
//! One line an event, `quorate-init: event key=value …`. Events and keys are an allow-list: names
//! of the manifest, numbers, our own error texts. Nothing a caller sent is ever written, because
//! the console belongs to the host.

use core::fmt;
use std::io::Write as _;

use quorate_protocol::atoms::Name;
use quorate_protocol::message::{Phase, Reason};

use crate::refuse::Halt;

/// Something worth a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// An application ended.
    Ended {
        application: &'a Name,
        start: u64,
        outcome: Outcome,
    },
    /// The enclave ends.
    Halting(&'a Halt),
    /// The phase changed.
    Phase(Phase),
    /// An application said that it serves.
    Ready { application: &'a Name, start: u64 },
    /// A request was refused.
    Refused(Reason),
    /// An application was started.
    Started { application: &'a Name, start: u64 },
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended {
                application,
                start,
                outcome,
            } => {
                let (how, number) = match outcome {
                    Outcome::Exited(status) => ("status", status),
                    Outcome::Signalled(signal) => ("signal", signal),
                };
                write!(
                    f,
                    "ended application={application} start={start} {how}={number}"
                )
            }
            Self::Halting(halt) => write!(f, "halting reason=\"{halt}\""),
            Self::Phase(phase) => write!(f, "phase name={phase:?}"),
            Self::Ready { application, start } => {
                write!(f, "ready application={application} start={start}")
            }
            Self::Refused(reason) => write!(f, "refused reason={reason:?}"),
            Self::Started { application, start } => {
                write!(f, "started application={application} start={start}")
            }
        }
    }
}

/// Writes one line. A console that cannot be written to changes nothing.
pub(crate) fn say(event: Event<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "quorate-init: {event}");
}
