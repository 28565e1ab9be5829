//! The round of carried files that a member is in, as their private folder keeps it.
//!
//! Guarantees: a nonce is here before anybody else sees it, with the moment it was made at, and a
//! grant is here before it can leave; so a nonce is used for one grant and no more, whatever process
//! dies. Nothing here is secret.

use minicbor::{Decode, Encode};
use quorate_protocol::atoms::Bytes;
use quorate_protocol::carried::{CarriedGrant, CarriedNonce};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::digest::Digest;

use super::PrivateFolder;
use crate::clock::{BootId, Moment};
use crate::error::CeremonyError;
use crate::format::check_format;

const FORMAT: u8 = 1;
const ROUND: &[&str] = &["carried.cbor"];

/// How far a round is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub(crate) enum Stand {
    /// A nonce was made; its attestation is waited for.
    #[n(0)]
    Asked,
    /// A grant was made; its receipt is waited for. How many shares the enclave needs stands beside.
    #[n(1)]
    Granted(#[n(0)] Box<CarriedGrant>, #[n(1)] u8),
    /// It is over.
    #[n(2)]
    Over,
}

/// A member's newest round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// Its number, which names its folder.
    pub(crate) number: u16,
    /// What was asked.
    pub(crate) asked: CarriedNonce,
    /// When, on this machine.
    pub(crate) made: Moment,
    /// How far it is.
    pub(crate) stand: Stand,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(0)]
    format: u8,
    #[n(1)]
    number: u16,
    #[n(2)]
    asked: CarriedNonce,
    #[n(3)]
    boot: Bytes<16, 16>,
    /// Milliseconds since that boot.
    #[n(4)]
    up_ms: u64,
    #[n(5)]
    stand: Stand,
}

impl Object for Fields {
    const LABEL: &'static str = "quorate/carried-round/v1";
    const MAX: usize = CarriedNonce::MAX + CarriedGrant::MAX + 128;
}

impl Round {
    /// The digest of what was asked.
    pub(crate) fn digest(&self) -> Digest<CarriedNonce> {
        Digest::of(&self.asked)
    }

    /// The nonce's bytes; none for one that no tool of this version drew.
    pub(crate) fn nonce(&self) -> Option<[u8; 32]> {
        self.asked.nonce.as_slice().try_into().ok()
    }
}

impl PrivateFolder {
    /// The newest round, if there was one.
    ///
    /// # Errors
    /// [`CeremonyError::Decode`].
    pub(crate) fn find_round(&self) -> Result<Option<Round>, CeremonyError> {
        let Some(bytes) = self.folder().read(ROUND, Fields::MAX)? else {
            return Ok(None);
        };
        let read = from_bytes::<Fields>(&bytes).and_then(|fields| {
            check_format::<Fields>(fields.format, FORMAT)?;
            Ok(fields)
        });
        let fields = read.map_err(|error| CeremonyError::Decode {
            path: self.folder().path_of(ROUND),
            error,
        })?;
        let mut boot = [0; 16];
        boot.copy_from_slice(fields.boot.as_slice());
        Ok(Some(Round {
            number: fields.number,
            asked: fields.asked,
            made: Moment {
                boot: BootId(boot),
                up_ms: fields.up_ms,
            },
            stand: fields.stand,
        }))
    }

    /// Keeps a round in place of the one before.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn store_round(&self, round: &Round) -> Result<(), CeremonyError> {
        let boot =
            Bytes::new(round.made.boot.0.to_vec()).map_err(crate::inputs::InputError::from)?;
        let fields = Fields {
            format: FORMAT,
            number: round.number,
            asked: round.asked.clone(),
            boot,
            up_ms: round.made.up_ms,
            stand: round.stand.clone(),
        };
        Ok(self.folder().replace(ROUND, &to_bytes(&fields))?)
    }
}
