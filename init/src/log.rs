//! What init says on its console.
//!
//! One line an event, `quorate-init: event key=value …`. Events and keys are an allow-list: names
//! of the manifest, numbers, our own error texts. Nothing a caller sent is ever written, because
//! the console belongs to the host.

use core::fmt;
use std::io::Write as _;

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use quorate_protocol::atoms::Name;
use quorate_protocol::control::{DialReason, Report};
use quorate_protocol::message::{Exit, Phase, Reason};

use crate::applications::Misconduct;
use crate::refuse::Halt;

/// Something worth a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// The first line of a machine.
    Booting,
    /// An application ended.
    Ended {
        application: &'a Name,
        start: u64,
        exit: Exit,
    },
    /// The key was forwarded; which forward of this instance it was.
    Forwarded { count: u64 },
    /// The enclave ends.
    Halting(&'a Halt),
    /// The sign of life was answered, or why not.
    Heartbeat(Option<Errno>),
    /// An application did what it may not, and is ended.
    Misconduct {
        application: &'a Name,
        start: u64,
        misconduct: Misconduct,
    },
    /// A fault of init's own, at this place of its source.
    Panicked { file: &'a str, line: u32 },
    /// A connection that an application asked for is not made.
    NotDialed {
        application: &'a Name,
        start: u64,
        reason: DialReason,
    },
    /// The phase changed.
    Phase(Phase),
    /// An application said that it serves.
    Ready { application: &'a Name, start: u64 },
    /// A request was refused.
    Refused(Reason),
    /// An application reports.
    Report {
        application: &'a Name,
        start: u64,
        report: Report,
    },
    /// An application was started.
    Started { application: &'a Name, start: u64 },
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Booting => write!(f, "booting uptime_ms={}", uptime()),
            Self::Ended {
                application,
                start,
                exit,
            } => {
                let (how, number) = match exit {
                    Exit::Exited(status) => ("status", status),
                    Exit::Signalled(signal) => ("signal", signal),
                };
                write!(
                    f,
                    "ended application={application} start={start} {how}={number}"
                )
            }
            Self::Heartbeat(None) => f.write_str("heartbeat answered=yes"),
            Self::Heartbeat(Some(errno)) => {
                write!(f, "heartbeat answered=no error=\"{errno}\"")
            }
            Self::Forwarded { count } => write!(f, "forwarded count={count}"),
            Self::Halting(halt) => write!(f, "halting reason=\"{halt}\""),
            Self::Misconduct {
                application,
                start,
                misconduct,
            } => write!(
                f,
                "misconduct application={application} start={start} what={misconduct:?}"
            ),
            Self::Panicked { file, line } => {
                write!(f, "halting reason=\"panic at {file}:{line}\"")
            }
            Self::NotDialed {
                application,
                start,
                reason,
            } => write!(
                f,
                "not-dialed application={application} start={start} reason={reason:?}"
            ),
            Self::Phase(phase) => write!(f, "phase name={phase:?}"),
            Self::Ready { application, start } => {
                write!(f, "ready application={application} start={start}")
            }
            Self::Refused(reason) => write!(f, "refused reason={reason:?}"),
            Self::Report {
                application,
                start,
                report,
            } => write!(
                f,
                "report application={application} start={start} kind={:?} code={} value={}",
                report.kind, report.code, report.value
            ),
            Self::Started { application, start } => {
                write!(f, "started application={application} start={start}")
            }
        }
    }
}

/// Milliseconds since the kernel started, by its own clock: for people who read the log, and for
/// no decision.
fn uptime() -> i64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        time.tv_sec()
            .saturating_mul(1000)
            .saturating_add(time.tv_nsec() / 1_000_000)
    })
}

/// Writes one line. A console that cannot be written to changes nothing.
pub(crate) fn say(event: Event<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "quorate-init: {event}");
}
