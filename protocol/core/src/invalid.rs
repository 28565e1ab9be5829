//! The rules of the contract that can be broken, one variant each.

use core::fmt;

use crate::atoms::Name;

/// In which list of its manifest entry an application names others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Those it calls.
    Calls,
    /// Those that can open what it seals for them.
    Shares,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calls => "calls",
            Self::Shares => "shares with",
        })
    }
}

/// A broken rule. Names the rule and the datum; the maker of the object is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// An attestation may be good for 60 to 1800 seconds.
    AgeLimit {
        /// Seconds found.
        found: u16,
    },
    /// An application may not have this name; it is the init process's own in the key ring.
    ApplicationNameReserved,
    /// Applications, ports or environment variables are not in ascending order, or one repeats.
    ApplicationsNotAscending,
    /// The first back-off is zero or above the largest, or the largest is too long.
    BackOff {
        /// First, in milliseconds.
        first: u32,
        /// Largest, in milliseconds.
        largest: u32,
    },
    /// Applications call each other in a circle, so none can start first.
    CallCycle,
    /// The commitments are not a valid polynomial: count, an identity, or a point off the curve.
    Commitments,
    /// A delegation ends before it was made, or lasts longer than one may.
    DelegationLength,
    /// A destination is not `host:port` with a port of 1 to 65535.
    Destination,
    /// Destinations are not in ascending order, or one repeats.
    DestinationsNotAscending,
    /// A file descriptor is negative.
    Descriptor {
        /// Number found.
        found: i32,
    },
    /// The encryption key is not a point of P-256, or is the identity.
    EncryptionKey,
    /// The environment variable is not `NAME=value`, or holds a NUL byte.
    Environment,
    /// The lines an entry shows are not ascending, or not lines of its record.
    EntryLines,
    /// The epoch is not the digest of the commitments beside it.
    EpochMismatch,
    /// The format number is not one this software knows.
    Format {
        /// Number found.
        found: u8,
    },
    /// The host is not a DNS name in lower case; an address is none.
    Host,
    /// Member indices are not ascending; an index repeats or is out of order.
    IndicesNotAscending {
        /// The index that is not greater than the one before it.
        index: u8,
    },
    /// The same key stands in two places.
    KeyReused,
    /// A list has more entries than allowed, or none.
    ListLength {
        /// Smallest accepted count.
        min: usize,
        /// Largest accepted count.
        max: usize,
        /// Count found.
        found: usize,
    },
    /// The memory limit is zero or larger than an enclave can be.
    MemoryLimit {
        /// Limit found, in bytes.
        found: u64,
    },
    /// One person stands in both sets with different keys.
    MemberDiffers,
    /// Two members of one set have the same name.
    MemberNameRepeated,
    /// A measurement is all zero, as in debug mode.
    MeasurementZero {
        /// Index of the register.
        index: u8,
    },
    /// The names of other applications are not in ascending order, or one repeats.
    NamesNotAscending {
        /// In which list.
        kind: Naming,
    },
    /// An application names itself among the others.
    NamesItself {
        /// In which list.
        kind: Naming,
    },
    /// An application names another that the manifest does not have.
    NamesNobody {
        /// In which list.
        kind: Naming,
        /// The name.
        name: Name,
    },
    /// A name is not 1 to 63 characters of `a-z 0-9 - . _` that begin with a letter or digit.
    Name,
    /// A byte string has a length outside its bounds.
    Length {
        /// Smallest accepted length in bytes.
        min: usize,
        /// Largest accepted length in bytes.
        max: usize,
        /// Length found in bytes.
        found: usize,
    },
    /// A path is not `m` and 1 to 10 numbers, some with an apostrophe, in at most 64 bytes.
    Path,
    /// A path stands in a list twice.
    PathRepeated,
    /// The port is reserved for the init process, or zero.
    Port {
        /// Port found.
        found: u32,
    },
    /// The first manifest names a predecessor, or a later one names none.
    Predecessor,
    /// The quorum key is not the first commitment.
    QuorumKeyMismatch,
    /// The first record of an author names a predecessor, or a later one names none, or no ceremony.
    RecordPredecessor,
    /// Records that a record or a head names are not ascending, or are the author's own.
    RecordSeen,
    /// A grant is signed in another role than that of the share set.
    Role,
    /// Roles are not in ascending order, or one repeats.
    RolesNotAscending,
    /// A sequence number starts at 1.
    SequenceZero,
    /// A share or member index is 1 to 255.
    ShareIndexZero,
    /// The signature is not 64 bytes of a valid ECDSA pair in its low-S form.
    Signature,
    /// The start-up deadline is zero or too long.
    StartDeadline {
        /// Found, in milliseconds.
        found: u32,
    },
    /// The cipher suite is unknown.
    Suite {
        /// Number found.
        found: u16,
    },
    /// The text holds control characters or is longer than allowed.
    Text,
    /// The threshold is less than 2 or more than the members.
    Threshold {
        /// Threshold found.
        threshold: u8,
        /// Members in the set.
        members: usize,
    },
    /// The share set's threshold is not the number of commitments.
    ThresholdMismatch,
    /// The verification key is not a point of P-256.
    VerificationKey,
    /// The validity window is empty.
    Window,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgeLimit { found } => {
                write!(
                    f,
                    "attestations good for {found} s; 60 to 1800 s is accepted"
                )
            }
            Self::ApplicationNameReserved => write!(f, "the application name `init` is reserved"),
            Self::ApplicationsNotAscending => {
                write!(
                    f,
                    "applications, ports or variables are not in ascending order"
                )
            }
            Self::BackOff { first, largest } => write!(
                f,
                "a back-off of {first} to {largest} ms; at least 1 and at most {} are accepted, \
                 the first not above the largest",
                crate::manifest::MAX_DELAY_MS
            ),
            Self::CallCycle => write!(
                f,
                "applications call each other in a circle, so none can start first"
            ),
            Self::Commitments => write!(f, "the commitments are not valid points"),
            Self::DelegationLength => {
                write!(f, "a delegation ends after it was made, and within 14 days")
            }
            Self::Destination => write!(f, "a destination is not host:port"),
            Self::DestinationsNotAscending => {
                write!(f, "destinations are not in ascending order, or one repeats")
            }
            Self::Descriptor { found } => write!(f, "descriptor {found} is negative"),
            Self::EncryptionKey => write!(f, "an encryption key is not a point of P-256"),
            Self::Environment => write!(f, "an environment entry is not NAME=value"),
            Self::EntryLines => write!(
                f,
                "the lines an entry shows are out of order, or not lines of its record"
            ),
            Self::EpochMismatch => write!(f, "the epoch is not the digest of the commitments"),
            Self::Format { found } => write!(f, "format {found} is not known"),
            Self::Host => write!(
                f,
                "a host is not a DNS name in lower case; addresses and wildcards are none"
            ),
            Self::IndicesNotAscending { index } => {
                write!(f, "member index {index} is repeated or out of order")
            }
            Self::KeyReused => write!(f, "one key stands in two places"),
            Self::ListLength { min, max, found } => {
                write!(f, "a list has {found} entries, {min} to {max} are accepted")
            }
            Self::MemoryLimit { found } => write!(f, "a memory limit of {found} bytes"),
            Self::MemberDiffers => {
                write!(
                    f,
                    "a member of both sets has different keys or shares a key with another"
                )
            }
            Self::MemberNameRepeated => write!(f, "two members have the same name"),
            Self::MeasurementZero { index } => {
                write!(f, "PCR{index} is all zero, as in debug mode")
            }
            Self::NamesNotAscending { kind } => write!(
                f,
                "the applications that another {kind} are not in ascending order"
            ),
            Self::NamesItself { kind } => write!(f, "an application {kind} itself"),
            Self::NamesNobody { kind, name } => write!(
                f,
                "an application {kind} {name}, which the manifest does not have"
            ),
            Self::Name => write!(f, "a name is not 1 to 63 characters of a-z 0-9 - . _"),
            Self::Length { min, max, found } => {
                write!(
                    f,
                    "a byte string has {found} bytes, {min} to {max} are accepted"
                )
            }
            Self::Path => write!(f, "a path is not m/44'/60'/0'/0/0 or the like"),
            Self::PathRepeated => write!(f, "one path stands in a list twice"),
            Self::Port { found } => write!(f, "port {found} is reserved"),
            Self::Predecessor => {
                write!(
                    f,
                    "the first manifest names no predecessor, every later one does"
                )
            }
            Self::QuorumKeyMismatch => write!(f, "the quorum key is not the first commitment"),
            Self::RecordPredecessor => write!(
                f,
                "an author's first record names no predecessor, every later one does, and the \
                 ceremony"
            ),
            Self::RecordSeen => write!(
                f,
                "the records that are named are not ascending, or the author's own"
            ),
            Self::Role => write!(f, "a share is granted in the role of the share set only"),
            Self::RolesNotAscending => {
                write!(f, "roles are not in ascending order, or one repeats")
            }
            Self::SequenceZero => write!(f, "a sequence starts at 1"),
            Self::ShareIndexZero => write!(f, "a member index is 1 to 255"),
            Self::Signature => write!(f, "a signature is not a low-S ECDSA pair of 64 bytes"),
            Self::StartDeadline { found } => write!(
                f,
                "a start-up deadline of {found} ms; 1 to {} are accepted",
                crate::manifest::MAX_DELAY_MS
            ),
            Self::Suite { found } => write!(f, "cipher suite {found} is not known"),
            Self::Text => write!(f, "a text is too long or holds control characters"),
            Self::Threshold { threshold, members } => {
                write!(
                    f,
                    "a threshold of {threshold} for {members} members; 2 to all is accepted"
                )
            }
            Self::ThresholdMismatch => {
                write!(f, "the share threshold is not the number of commitments")
            }
            Self::VerificationKey => write!(f, "a verification key is not a point of P-256"),
            Self::Window => write!(f, "the validity window is empty"),
        }
    }
}

impl core::error::Error for Invalid {}
