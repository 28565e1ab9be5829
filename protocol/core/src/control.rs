//! What init and an application say to each other over the control socket.
//!
//! A control message is one packet. Fields of a report are numbers, because what an application
//! says ends up on the console, which belongs to the host.

use alloc::vec::Vec;

use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::application::{EdgeEnd, EdgeRole, TimeAnchor};
use crate::atoms::{Name, codec};
use crate::cbor::object;
use crate::egress::Destination;
use crate::invalid::Invalid;

/// Bytes of entropy in one message, at most.
pub const MAX_ENTROPY: usize = 256;
/// Messages an application may send at once over its control socket.
pub const CONTROL_BURST: u32 = 128;
/// Messages a second an application may send over its control socket in the long run.
pub const CONTROL_RATE: u32 = 64;
/// Messages that asking for entropy counts for: it takes the security module's time.
pub const ENTROPY_COST: u32 = 4;
/// Messages that asking for a connection counts for: it takes a descriptor and the host's time.
pub const DIAL_COST: u32 = 4;
/// Connections of one application that are being made at once, at most.
pub const MAX_DIALS: usize = 8;

/// How much a report matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ReportKind {
    /// Good to know.
    #[n(1)]
    Note,
    /// Something is wrong and the application goes on.
    #[n(2)]
    Warning,
    /// Something failed.
    #[n(3)]
    Failure,
}

/// What an application reports: numbers whose meaning its documentation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Report {
    /// How much it matters.
    #[n(0)]
    pub kind: ReportKind,
    /// What it is about.
    #[n(1)]
    pub code: u16,
    /// A number that belongs to it.
    #[n(2)]
    pub value: u64,
}

/// How many bytes of entropy: 1 to [`MAX_ENTROPY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntropyLength(u16);

impl EntropyLength {
    /// Checks and takes a number of bytes.
    ///
    /// # Errors
    /// [`Invalid::Length`].
    pub fn new(bytes: u16) -> Result<Self, Invalid> {
        if bytes == 0 || usize::from(bytes) > MAX_ENTROPY {
            return Err(length(bytes.into()));
        }
        Ok(Self(bytes))
    }

    /// The number of bytes.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

/// Random bytes, 1 to [`MAX_ENTROPY`]. Secret.
pub struct Entropy(Zeroizing<Vec<u8>>);

impl Entropy {
    /// Takes bytes.
    ///
    /// # Errors
    /// [`Invalid::Length`].
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, Invalid> {
        if bytes.is_empty() || bytes.len() > MAX_ENTROPY {
            return Err(length(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

fn length(found: usize) -> Invalid {
    Invalid::Length {
        min: 1,
        max: MAX_ENTROPY,
        found,
    }
}

codec!([] EntropyLength, u16, |v| v.0, |raw| Self::new(raw));
codec!([] Entropy, &ByteSlice, |v| <&ByteSlice>::from(v.0.as_slice()),
    |raw| Self::new(Zeroizing::new(raw.to_vec())));

/// From an application to init.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ToInit {
    /// It serves from now on.
    #[n(1)]
    Ready,
    /// Something for init's log.
    #[n(2)]
    Report(#[n(0)] Report),
    /// Give random bytes of the NSM.
    #[n(3)]
    Entropy(#[n(0)] EntropyLength),
    /// Say what time it is.
    #[n(4)]
    Time,
    /// This pair of sockets is of no more use; make another.
    #[n(5)]
    Renew(#[n(0)] Renew),
    /// Connect to a destination of the manifest.
    #[n(6)]
    Dial(#[n(0)] Dial),
}

/// Asks for a connection.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Dial {
    /// Number of the request, chosen by the application; the answer names it.
    #[n(0)]
    pub number: u64,
    /// Where to.
    #[n(1)]
    pub destination: Destination,
}

/// A connection that is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NotDialed {
    /// Number of the request.
    #[n(0)]
    pub number: u64,
    /// Why.
    #[n(1)]
    pub reason: DialReason,
}

/// Why init makes no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum DialReason {
    /// The manifest does not allow this application to connect there.
    #[n(1)]
    NotAllowed,
    /// As many connections of this application are being made as may be.
    #[n(2)]
    TooMany,
    /// Nobody takes connections on the parent's egress port.
    #[n(3)]
    NoProxy,
    /// The parent's egress port took too long.
    #[n(4)]
    TimedOut,
}

/// Names a pair of sockets that is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Renew {
    /// The application at the other end.
    #[n(0)]
    pub peer: Name,
    /// On which side the sender is.
    #[n(1)]
    pub role: EdgeRole,
    /// Which pair. Another than the newest is out of date and changes nothing.
    #[n(2)]
    pub pair: u64,
}

/// From init to an application. Secret, because of the entropy in it.
#[derive(Encode, Decode)]
#[cbor(flat)]
pub enum FromInit {
    /// Finish what is under way and end.
    #[n(1)]
    Stop,
    /// A new pair of sockets; this application's end is the one descriptor that comes with it.
    #[n(2)]
    Edge(#[n(0)] EdgeEnd),
    /// Random bytes.
    #[n(3)]
    Entropy(#[n(0)] Entropy),
    /// The time.
    #[n(4)]
    Time(#[n(0)] TimeAnchor),
    /// The connection of this number; it is the one descriptor that comes with it. The request to
    /// the parent was written to it, the parent's answer was not read.
    #[n(5)]
    Dialed(#[n(0)] u64),
    /// There is no connection.
    #[n(6)]
    NotDialed(#[n(0)] NotDialed),
}

object! {
    ToInit => "quorate/to-init/v3", 320;
    FromInit => "quorate/from-init/v3", 320;
}
