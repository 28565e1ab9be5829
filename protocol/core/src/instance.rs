//! What a provisioned instance signs: the key ring and the instance certificate; and how the keys
//! of the ring come from the quorum secret.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hkdf::Hkdf;
use minicbor::{Decode, Encode};
use p256::elliptic_curve::bigint::{NonZero, U256, U384};
use quorate_sharing::Secret;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::atoms::{Name, ShareIndex, Text, UnixMillis};
use crate::cbor::{Checked, Rules, object};
use crate::digest::Digest;
use crate::forward::ForwardSource;
use crate::genesis::{Epoch, Genesis};
use crate::invalid::Invalid;
use crate::keys::{KeyPair, VerificationKey};
use crate::manifest::{MAX_APPLICATIONS, Manifest};

/// What a derived key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    /// Signs instance certificates; held by init.
    #[n(1)]
    Instance,
    /// Signs, for an application.
    #[n(2)]
    Signing,
    /// Decrypts, for an application.
    #[n(3)]
    Encryption,
}

impl Purpose {
    /// The purpose in a derivation's `info`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Signing => "signing",
            Self::Encryption => "encryption",
        }
    }
}

/// A public key derived from the quorum secret.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RingEntry {
    /// Whose; init's own is `init`.
    #[n(0)]
    pub application: Name,
    /// What for.
    #[n(1)]
    pub purpose: Purpose,
    /// The public point. For [`Purpose::Encryption`] it is used with HPKE.
    #[n(2)]
    pub key: VerificationKey,
}

/// The public keys of a namespace under one manifest. The only thing the quorum key signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct KeyRingFields {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The manifest whose applications these are.
    #[n(1)]
    pub manifest: Digest<Manifest>,
    /// Its sequence.
    #[n(2)]
    pub sequence: u64,
    /// Ascending by application and purpose.
    #[n(3)]
    pub keys: Vec<RingEntry>,
}

/// A ring in ascending order with no entry twice.
pub type KeyRing = Checked<KeyRingFields>;

impl KeyRingFields {
    /// The key of an application for a purpose.
    pub fn key(&self, application: &str, purpose: Purpose) -> Option<&VerificationKey> {
        let mut entries = self.keys.iter();
        entries
            .find(|e| e.application.as_str() == application && e.purpose == purpose)
            .map(|e| &e.key)
    }
}

impl Rules for KeyRingFields {
    fn check(&self) -> Result<(), Invalid> {
        let (found, max) = (self.keys.len(), 2 * MAX_APPLICATIONS + 1);
        if found == 0 || found > max {
            return Err(Invalid::ListLength { min: 1, max, found });
        }
        let order = |e: &RingEntry| (e.application.clone(), e.purpose);
        if !self.keys.is_sorted_by(|a, b| order(a) < order(b)) {
            return Err(Invalid::ApplicationsNotAscending);
        }
        Ok(())
    }
}

/// How an instance came by the quorum key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Provenance {
    /// Rebuilt from the shares of these members, ascending.
    #[n(1)]
    Members(#[n(0)] Vec<Index>),
    /// Received from another instance.
    #[n(2)]
    Forwarded(#[n(0)] Box<ForwardSource>),
}

/// A member index inside a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Index(#[cbor(n(0), with = "crate::atoms::index")] pub ShareIndex);

/// Says that this very instance holds the quorum key, signed by the ring's instance key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InstanceCertificate {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// What runs there.
    #[n(1)]
    pub manifest: Digest<Manifest>,
    /// The live keys, as attested.
    #[n(2)]
    pub live: KeyPair,
    /// The NSM's module id.
    #[n(3)]
    pub module_id: Text<256>,
    /// Which shares.
    #[n(4)]
    pub epoch: Epoch,
    /// How the key came.
    #[n(5)]
    pub provenance: Provenance,
    /// When, by the instance's NSM.
    #[n(6)]
    pub time: UnixMillis,
}

/// Version of the derivation below.
const DERIVATION: u8 = 1;

/// Derives a secret scalar of the ring: HKDF-SHA256 of the quorum secret without salt, info the
/// CBOR array [version, genesis digest, application, purpose], 48 bytes reduced modulo the order.
///
/// The 128 extra bits make the bias of the reduction negligible (FIPS 186-5, A.2.1). The result is
/// zero with probability 2⁻²⁵⁶; then `None`.
pub fn derive(
    secret: &Secret,
    genesis: &Digest<Genesis>,
    application: &str,
    purpose: Purpose,
) -> Option<Secret> {
    let mut info = Vec::new();
    minicbor::Encoder::new(&mut info)
        .array(4)
        .and_then(|e| e.u8(DERIVATION))
        .and_then(|e| e.bytes(genesis.as_bytes()))
        .and_then(|e| e.str(application))
        .and_then(|e| e.str(purpose.name()))
        .ok()?;
    let mut wide = Zeroizing::new([0; 48]);
    Hkdf::<Sha256>::new(None, &*secret.to_bytes())
        .expand(&info, &mut *wide)
        .ok()?;
    reduce(&wide)
}

/// Purpose in the info of a sealing key.
const SEALING: &str = "sealing";

/// Derives the symmetric key under which `owner` seals what `reader` opens: HKDF-SHA256 of the
/// quorum secret without salt, info the CBOR array [version, genesis digest, owner, reader,
/// "sealing"], 32 bytes. Five items, so it is never the info of a scalar.
pub fn derive_sealing(
    secret: &Secret,
    genesis: &Digest<Genesis>,
    owner: &Name,
    reader: &Name,
) -> Option<Zeroizing<[u8; 32]>> {
    let mut info = Vec::new();
    minicbor::Encoder::new(&mut info)
        .array(5)
        .and_then(|e| e.u8(DERIVATION))
        .and_then(|e| e.bytes(genesis.as_bytes()))
        .and_then(|e| e.str(owner.as_str()))
        .and_then(|e| e.str(reader.as_str()))
        .and_then(|e| e.str(SEALING))
        .ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, &*secret.to_bytes())
        .expand(&info, &mut *key)
        .ok()?;
    Some(key)
}

/// A 384-bit big-endian number modulo the order of P-256, in constant time.
fn reduce(wide: &[u8; 48]) -> Option<Secret> {
    use p256::elliptic_curve::Curve as _;
    let order: U256 = *p256::NistP256::ORDER.as_ref();
    let order: Option<NonZero<U384>> = NonZero::new(order.resize::<{ U384::LIMBS }>()).into();
    let mut wide = U384::from_be_slice(wide);
    let mut reduced = wide.rem(&order?);
    wide.zeroize();
    let bytes = Zeroizing::new(reduced.to_be_bytes());
    reduced.zeroize();
    let mut scalar = Zeroizing::new([0; 32]);
    scalar.copy_from_slice(bytes.as_ref().get(16..)?);
    Secret::from_bytes(&scalar).ok()
}

object! {
    KeyRing => "quorate/key-ring/v1", 8 * 1024;
    InstanceCertificate => "quorate/instance-certificate/v1", 2 * 1024;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];

    /// The order shifted up by whole bytes, plus a small number.
    fn number(shift: usize, plus: u8) -> [u8; 48] {
        let mut wide = [0; 48];
        wide[16 - shift..48 - shift].copy_from_slice(&ORDER);
        // The last byte of the order and of zero: no carry for the numbers used here.
        wide[47] += plus;
        wide
    }

    fn reduced(wide: &[u8; 48]) -> Option<[u8; 32]> {
        reduce(wide).map(|scalar| *scalar.to_bytes())
    }

    #[test]
    fn multiples_of_the_order_give_no_key_fails_closed() {
        assert_eq!(reduced(&[0; 48]), None);
        assert_eq!(reduced(&number(0, 0)), None);
        assert_eq!(reduced(&number(16, 0)), None);
    }

    #[test]
    fn numbers_are_reduced_at_the_edges() {
        let mut five = [0; 32];
        five[31] = 5;
        assert_eq!(reduced(&number(0, 5)), Some(five));
        assert_eq!(reduced(&number(16, 5)), Some(five));
        let mut below = [0; 48];
        below[16..].copy_from_slice(&ORDER);
        below[47] -= 1;
        assert_eq!(
            reduced(&below).as_ref().map(|s| s.as_slice()),
            below.get(16..)
        );
        // (2³⁸⁴ − 1) mod q, computed elsewhere.
        let largest = [
            0x43, 0x19, 0x05, 0x52, 0x9c, 0x01, 0x66, 0xce, 0x65, 0x2e, 0x96, 0xb7, 0xcc, 0xca,
            0x0a, 0x99, 0x67, 0x9b, 0x73, 0xe1, 0x9a, 0xd1, 0x69, 0x47, 0xf0, 0x1c, 0xf0, 0x13,
            0xfc, 0x63, 0x25, 0x50,
        ];
        assert_eq!(reduced(&[0xff; 48]), Some(largest));
    }
}
