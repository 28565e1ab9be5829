//! What a tool remembers, so that it is never led back.

use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Manifest;
use thiserror::Error;

/// The newest manifest of a namespace that somebody has seen and taken part in.
///
/// A tool keeps one for each namespace, and asks [`admit`](Self::admit) before it approves a
/// manifest or gives a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighestSeen {
    /// Its sequence.
    pub sequence: u64,
    /// Its digest.
    pub digest: Digest<Manifest>,
}

impl HighestSeen {
    /// What to remember after this manifest: the same or a newer one.
    ///
    /// # Errors
    /// [`Rollback`] for an older one, and for another one at the same sequence.
    pub fn admit(self, sequence: u64, digest: Digest<Manifest>) -> Result<Self, Rollback> {
        let offered = Self { sequence, digest };
        if sequence < self.sequence {
            return Err(Rollback::Lower {
                seen: self,
                offered,
            });
        }
        if sequence == self.sequence && digest != self.digest {
            return Err(Rollback::SecondDigest {
                seen: self,
                offered,
            });
        }
        Ok(offered)
    }
}

/// An attempt to lead somebody back to an older or to another manifest.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Rollback {
    /// The manifest is older than one that was seen.
    #[error(
        "manifest {} is older than manifest {}, which was seen before",
        .offered.sequence, .seen.sequence
    )]
    Lower {
        /// What was seen.
        seen: HighestSeen,
        /// What was offered.
        offered: HighestSeen,
    },
    /// Another manifest was seen at the same sequence.
    #[error(
        "manifest {} is {}, but {} was seen under that number",
        .offered.sequence, .offered.digest, .seen.digest
    )]
    SecondDigest {
        /// What was seen.
        seen: HighestSeen,
        /// What was offered.
        offered: HighestSeen,
    },
}

impl Rollback {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Lower { .. } => "rollback-lower",
            Self::SecondDigest { .. } => "rollback-second-digest",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Lower { .. } => {
                "Fetch the newest chain. If somebody insists on the older manifest, make a new one \
                 with the same content and have it approved."
            }
            Self::SecondDigest { .. } => {
                "Stop and speak to the other members: two manifests were made under one number, \
                 and some of them may have approved both."
            }
        }
    }
}
