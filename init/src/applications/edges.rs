//! The call edges of the manifest: pairs of connected sockets, made by init and handed to exactly
//! the two applications an edge joins.
//!
//! Guarantees: init keeps no end that it has handed over, so a pair is closed when both its starts
//! have ended. A pair never outlives a start: when one side starts again, both get a new one. An
//! edge that its applications broke comes back, at a rate neither of them chooses.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use quorate_protocol::application::EdgeRole;
use quorate_protocol::atoms::Name;
use quorate_protocol::manifest::Application;

/// Between two renewals of an edge whose applications are both alive, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause. Each renewal doubles it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// An edge that held for this long begins again with the first pause.
const SETTLED: Duration = Duration::from_secs(10);

/// All edges.
pub(super) struct Edges(Vec<Edge>);

/// One edge. Applications are positions in the manifest.
pub(super) struct Edge {
    caller: usize,
    callee: usize,
    /// Pairs made so far: the number of the newest.
    pub(super) pair: u64,
    /// An end of the newest pair for an application that is not running yet.
    held: Option<(usize, OwnedFd)>,
    /// The newest pair each side has complained about: caller, callee.
    complaints: [u64; 2],
    /// When the pair is to be replaced.
    due: Option<Instant>,
    renewed: Option<Instant>,
    pause: Duration,
}

/// What a complaint about a pair is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    /// The pair will be replaced, or has been.
    Taken,
    /// It names no edge of this application, or was made before.
    Unfounded,
}

impl Edges {
    pub(super) fn of(applications: &[Application]) -> Self {
        let at = |name: &Name| applications.iter().position(|a| a.name == *name);
        let calls = applications.iter().enumerate();
        let calls = calls.flat_map(|(caller, a)| a.calls.iter().map(move |name| (caller, name)));
        let edges = calls.filter_map(|(caller, name)| {
            Some(Edge {
                caller,
                callee: at(name)?,
                pair: 0,
                held: None,
                complaints: [0; 2],
                due: None,
                renewed: None,
                pause: FIRST_PAUSE,
            })
        });
        Self(edges.collect())
    }

    /// Edges this application is part of.
    pub(super) fn of_application(&mut self, at: usize) -> impl Iterator<Item = &mut Edge> {
        let edges = self.0.iter_mut();
        edges.filter(move |edge| edge.caller == at || edge.callee == at)
    }

    /// An application ended: the pairs of that start are of no more use.
    pub(super) fn ended(&mut self, at: usize) {
        for edge in self.of_application(at) {
            edge.due = None;
            // What was made for its next start, while it was ending, stays.
            if edge.held.as_ref().is_some_and(|(whose, _)| *whose != at) {
                edge.held = None;
            }
        }
    }

    /// An application says that a pair is of no more use.
    pub(super) fn complain(
        &mut self,
        at: usize,
        role: EdgeRole,
        peer: usize,
        pair: u64,
        now: Instant,
    ) -> Complaint {
        let mut edges = self.0.iter_mut();
        let Some(edge) = edges.find(|edge| edge.seen_from(at) == Some((peer, role))) else {
            return Complaint::Unfounded;
        };
        let [by_caller, by_callee] = &mut edge.complaints;
        let told = match role {
            EdgeRole::Caller => by_caller,
            EdgeRole::Callee => by_callee,
        };
        // Each side complains about each pair at most once, and about none that was not made.
        if pair <= *told || pair > edge.pair {
            return Complaint::Unfounded;
        }
        *told = pair;
        if pair == edge.pair && edge.due.is_none() {
            let settled = |renewed: Instant| now.saturating_duration_since(renewed) > SETTLED;
            if edge.renewed.is_none_or(settled) {
                edge.pause = FIRST_PAUSE;
            }
            let earliest = edge.renewed.map_or(now, |renewed| renewed + edge.pause);
            edge.due = Some(earliest.max(now));
        }
        Complaint::Taken
    }

    /// When the next edge is to be renewed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|edge| edge.due).min()
    }

    /// An edge that is to be renewed now.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<&mut Edge> {
        let mut edges = self.0.iter_mut();
        let edge = edges.find(|edge| edge.due.is_some_and(|due| due <= now))?;
        edge.due = None;
        edge.renewed = Some(now);
        edge.pause = edge.pause.saturating_mul(2).min(LONGEST_PAUSE);
        Some(edge)
    }
}

impl Edge {
    /// Positions of caller and callee.
    pub(super) fn sides(&self) -> (usize, usize) {
        (self.caller, self.callee)
    }

    /// The other side and the role of this one; `None` for an application that is neither.
    pub(super) fn seen_from(&self, at: usize) -> Option<(usize, EdgeRole)> {
        if at == self.caller {
            Some((self.callee, EdgeRole::Caller))
        } else if at == self.callee {
            Some((self.caller, EdgeRole::Callee))
        } else {
            None
        }
    }

    /// The end that waits for this application, if there is one.
    pub(super) fn take_held(&mut self, at: usize) -> Option<OwnedFd> {
        match self.held.take() {
            Some((whose, end)) if whose == at => Some(end),
            held => {
                self.held = held;
                None
            }
        }
    }

    /// Keeps an end until that application starts.
    pub(super) fn hold(&mut self, whose: usize, end: OwnedFd) {
        self.held = Some((whose, end));
    }

    /// Makes a new pair; what was held of the old one is closed.
    pub(super) fn connect(&mut self) -> Result<(OwnedFd, OwnedFd), Errno> {
        self.held = None;
        self.due = None;
        let pair = socketpair(
            AddressFamily::Unix,
            SockType::Stream,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        self.pair = self.pair.saturating_add(1);
        Ok(pair)
    }
}

/// The other role.
pub(super) fn opposite(role: EdgeRole) -> EdgeRole {
    match role {
        EdgeRole::Caller => EdgeRole::Callee,
        EdgeRole::Callee => EdgeRole::Caller,
    }
}
