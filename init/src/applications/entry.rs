//! One application of the manifest, from start to start: when it may start again, how it ended,
//! what it reported.
//!
//! Guarantees: reports are bounded ([`MAX_REPORTS`] newest are kept, the rest counted), and hold
//! numbers only. The back-off doubles with each start that did not last and begins again after one
//! that ran for longer than the largest.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use quorate_protocol::application::ApplicationCertificate;
use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::control::{DialReason, FromInit, NotDialed, Report};
use quorate_protocol::cose::Signed;
use quorate_protocol::manifest::{Application, RestartPolicy};
use quorate_protocol::message::{ApplicationLog, ApplicationStatus, Exit, MAX_REPORTS, Reported};

use super::process::{Misconduct, Process};
use crate::log::{Event, say};
use crate::sandbox::Sandbox;
use crate::uploads::Binary;

/// Certificates kept for the evidence: those of the newest starts.
const KEPT_CERTIFICATES: usize = 16;

/// An application.
pub(super) struct Entry {
    pub(super) manifest: Application,
    pub(super) binary: Binary,
    pub(super) listeners: Vec<(u32, OwnedFd)>,
    /// Where all its starts run.
    pub(super) sandbox: Rc<Sandbox>,
    /// Starts so far; the number of the newest.
    pub(super) starts: u64,
    pub(super) process: Option<Process>,
    /// Not to be started before.
    pub(super) due: Instant,
    /// Starts in a row that did not last.
    failures: u32,
    exit: Option<Exit>,
    pub(super) certificates: Vec<Signed<ApplicationCertificate>>,
    reports: VecDeque<Reported>,
    dropped: u64,
}

impl Entry {
    pub(super) fn new(
        manifest: Application,
        binary: Binary,
        listeners: Vec<(u32, OwnedFd)>,
        sandbox: Rc<Sandbox>,
    ) -> Self {
        Self {
            manifest,
            binary,
            listeners,
            sandbox,
            starts: 0,
            process: None,
            due: Instant::now(),
            failures: 0,
            exit: None,
            certificates: Vec::new(),
            reports: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Its process, unless it is being ended.
    pub(super) fn alive(&self) -> Option<&Process> {
        self.process.as_ref().filter(|process| !process.ending)
    }

    /// As [`alive`](Self::alive).
    pub(super) fn alive_mut(&mut self) -> Option<&mut Process> {
        self.process.as_mut().filter(|process| !process.ending)
    }

    /// Whether it has said that it serves.
    pub(super) fn is_ready(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.ready)
    }

    /// The number of its present start, or of the next if it does not run.
    pub(super) fn coming_start(&self) -> u64 {
        match self.alive() {
            Some(_) => self.starts,
            None => self.starts.saturating_add(1),
        }
    }

    /// Until when it must have said that it serves.
    pub(super) fn start_deadline(&self) -> Option<Instant> {
        let process = self.alive().filter(|process| !process.ready)?;
        let allowed = Duration::from_millis(self.manifest.restart.start_deadline_ms.into());
        Some(process.started + allowed)
    }

    /// How often it may still be started again.
    pub(super) fn restarts_left(&self) -> u16 {
        let used = u16::try_from(self.starts.saturating_sub(1)).unwrap_or(u16::MAX);
        self.manifest.restart.restarts.saturating_sub(used)
    }

    pub(super) fn started(
        &mut self,
        process: Process,
        certificate: Signed<ApplicationCertificate>,
    ) {
        self.process = Some(process);
        if self.certificates.len() >= KEPT_CERTIFICATES {
            self.certificates.remove(0);
        }
        self.certificates.push(certificate);
    }

    /// Its process ended: the back-off begins.
    pub(super) fn ended(&mut self, exit: Exit) {
        let now = Instant::now();
        let ran = self
            .process
            .take()
            .map_or(Duration::ZERO, |p| now.saturating_duration_since(p.started));
        self.exit = Some(exit);
        let pause = back_off(&self.manifest.restart, ran, &mut self.failures);
        self.due = now + pause;
        say(Event::Ended {
            application: &self.manifest.name,
            start: self.starts,
            exit,
        });
    }

    /// Keeps a report, and says it.
    pub(super) fn keep(&mut self, report: Report, time: UnixMillis) {
        if self.reports.len() >= MAX_REPORTS {
            self.reports.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.reports.push_back(Reported {
            start: self.starts,
            time,
            report,
        });
        say(Event::Report {
            application: &self.manifest.name,
            start: self.starts,
            report,
        });
    }

    /// Tells it, and the log, that a connection it asked for is not made.
    pub(super) fn not_dialed(&self, number: u64, reason: DialReason) -> Result<(), Misconduct> {
        say(Event::NotDialed {
            application: &self.manifest.name,
            start: self.starts,
            reason,
        });
        let told = FromInit::NotDialed(NotDialed { number, reason });
        self.process
            .as_ref()
            .map_or(Ok(()), |process| process.tell(&told, None))
    }

    pub(super) fn status(&self) -> ApplicationStatus {
        ApplicationStatus {
            name: self.manifest.name.clone(),
            starts: self.starts,
            ready: self.is_ready(),
            exit: self.exit,
            restarts_left: self.restarts_left(),
        }
    }

    pub(super) fn log(&self) -> ApplicationLog {
        ApplicationLog {
            name: self.manifest.name.clone(),
            dropped: self.dropped,
            reports: self.reports.iter().cloned().collect(),
        }
    }
}

/// How long to wait after a start that ran for so long; counts the failures in a row.
fn back_off(policy: &RestartPolicy, ran: Duration, failures: &mut u32) -> Duration {
    let largest = Duration::from_millis(policy.largest_back_off_ms.into());
    if ran > largest {
        *failures = 0;
    }
    let factor = 1_u32.checked_shl(*failures).unwrap_or(u32::MAX);
    *failures = failures.saturating_add(1);
    let first = Duration::from_millis(policy.first_back_off_ms.into());
    first.saturating_mul(factor).min(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_the_largest_and_begins_again_after_a_long_run() {
        let policy = RestartPolicy {
            restarts: 100,
            first_back_off_ms: 10,
            largest_back_off_ms: 65,
            start_deadline_ms: 1,
        };
        let (short, mut failures) = (Duration::from_millis(65), 0);
        let pauses: Vec<_> = (0..6)
            .map(|_| back_off(&policy, short, &mut failures).as_millis())
            .collect();
        assert_eq!(pauses, [10, 20, 40, 65, 65, 65]);
        for _ in 0..100 {
            let pause = back_off(&policy, short, &mut failures);
            assert_eq!(pause.as_millis(), 65);
        }
        let long = Duration::from_millis(66);
        assert_eq!(back_off(&policy, long, &mut failures).as_millis(), 10);
        assert_eq!(back_off(&policy, short, &mut failures).as_millis(), 20);
    }
}
