//! Where applications may connect to, and how the parent is asked to connect there.
//!
//! A [`Host`] is a DNS name and never an address, so that it is always the certificate that tells who
//! answers. init writes an [`EgressRequest`] to the parent's egress port, in a frame as between host
//! and enclave, and gives the connection to the application. The first frame that comes back is an
//! [`EgressResponse`]; after `Connected` the bytes are the destination's.
//!
//! Guarantees nothing about what is at the other end: names, routes and this answer are the host's.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU16;

use minicbor::{Decode, Encode};

use crate::atoms::codec;
use crate::cbor::object;
use crate::frame::Sizes;
use crate::invalid::Invalid;

/// Destinations of one application, at most.
pub const MAX_DESTINATIONS: usize = 64;
/// Longest name of a host in bytes (RFC 1035, section 2.3.4, without the root's dot).
pub const MAX_HOST: usize = 253;
/// Longest label of such a name in bytes.
const MAX_LABEL: usize = 63;

/// The DNS name of a host: labels of `a-z 0-9 -` (RFC 1123, section 2.1), in lower case, without a
/// dot at the end. The last label begins with a letter, so no address is one, in whatever notation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

impl Host {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`Invalid::Host`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let label = |label: &str| {
            (1..=MAX_LABEL).contains(&label.len())
                && label.bytes().all(allowed)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last = text.rsplit('.').next().unwrap_or_default();
        let named = last.starts_with(|c: char| c.is_ascii_lowercase());
        if text.len() > MAX_HOST || !named || !text.split('.').all(label) {
            return Err(Invalid::Host);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

codec!([] Host, &str, |v| v.0, |raw| Self::new(raw));

/// A host and one of its TCP ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(map)]
pub struct Destination {
    /// The host.
    #[n(0)]
    pub host: Host,
    /// The port.
    #[n(1)]
    pub port: NonZeroU16,
}

impl Destination {
    /// Reads `host:port`.
    ///
    /// # Errors
    /// [`Invalid::Host`], [`Invalid::Destination`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (host, port) = text.rsplit_once(':').ok_or(Invalid::Destination)?;
        // Only digits, and no zero before them: one destination has one text.
        let digits = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
        let port = port.parse().ok().filter(|_| digits);
        Ok(Self {
            host: Host::new(host)?,
            port: port.ok_or(Invalid::Destination)?,
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether a list of destinations keeps the rules: not too long, ascending, none twice.
///
/// # Errors
/// [`Invalid::ListLength`], [`Invalid::DestinationsNotAscending`].
pub fn check_destinations(list: &[Destination]) -> Result<(), Invalid> {
    let found = list.len();
    if found > MAX_DESTINATIONS {
        return Err(Invalid::ListLength {
            min: 0,
            max: MAX_DESTINATIONS,
            found,
        });
    }
    if list.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(Invalid::DestinationsNotAscending)
    }
}

/// Enclave to parent: the first frame of a connection to the egress port.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum EgressRequest {
    /// Connect there, and carry bytes both ways.
    #[n(1)]
    Connect(#[n(0)] Destination),
}

/// Parent to enclave: the first frame that comes back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum EgressResponse {
    /// Whatever follows is the destination's.
    #[n(1)]
    Connected,
    /// Nothing follows.
    #[n(2)]
    Refused(#[n(0)] EgressReason),
}

/// Why the parent's proxy does not connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum EgressReason {
    /// The frame is no request of this contract, or did not come in time.
    #[n(1)]
    Malformed,
    /// The proxy's list does not have this destination.
    #[n(2)]
    NotListed,
    /// The name has no address.
    #[n(3)]
    Unresolved,
    /// The name has only addresses that the proxy does not connect to: its own network's.
    #[n(4)]
    AddressForbidden,
    /// No address of the name could be connected to.
    #[n(5)]
    Unreachable,
    /// The proxy has as many connections as it takes.
    #[n(6)]
    Busy,
}

impl EgressReason {
    /// What happened, and what to do, for people.
    pub const fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => (
                "the egress proxy did not understand the request",
                "run a proxy of the same version as the enclave",
            ),
            Self::NotListed => (
                "the egress proxy's list does not have this destination",
                "start the proxy with the manifest that runs",
            ),
            Self::Unresolved => (
                "the host's resolver knows no address of this name",
                "correct the host's resolver, or the name in the manifest",
            ),
            Self::AddressForbidden => (
                "the name leads into the host's own network, where the proxy does not connect",
                "allow that network when starting the proxy, if it is meant",
            ),
            Self::Unreachable => (
                "the destination did not take the connection",
                "look at the destination and at the host's routes",
            ),
            Self::Busy => (
                "the egress proxy has as many connections as it takes",
                "close connections that are not needed, or raise the proxy's limit",
            ),
        }
    }
}

impl Sizes for EgressRequest {
    const LARGEST: usize = 288;

    fn largest(kind: u8) -> Option<usize> {
        (kind == 1).then_some(Self::LARGEST)
    }
}

impl Sizes for EgressResponse {
    const LARGEST: usize = 8;

    fn largest(kind: u8) -> Option<usize> {
        match kind {
            1 => Some(2),
            2 => Some(Self::LARGEST),
            _ => None,
        }
    }
}

/// A list of destinations as text: `host:port`, comma and space between.
pub fn listed(destinations: &[Destination]) -> String {
    let texts: Vec<String> = destinations.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

object! {
    EgressRequest => "quorate/egress-request/v1", 288;
    EgressResponse => "quorate/egress-response/v1", 8;
}
