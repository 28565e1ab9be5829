//! A token whose PIN was right, and keys in it.
//!
//! Guarantees: a key that [`OpenToken::require`] accepted is on P-256, may be used for its purpose
//! and cannot be read out; a key made here is one of those, drawn by the token; a derived secret has
//! 32 bytes, and the token's copy of it is destroyed before it is returned. After an error the
//! token is asked whether it is still there, so that "taken out" is never mistaken for anything else.

use core::fmt;

use cryptoki::error::Error as Pkcs11Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use zeroize::Zeroizing;

use crate::error::{Ability, Step, TokenError};
use crate::module::{Inserted, TokenReport};
use crate::uri::KeyUri;

/// Length of a shared secret of P-256 in bytes.
pub const SHARED_LEN: usize = 32;
/// P-256 (prime256v1) as `CKA_EC_PARAMS` has it: its object identifier in DER.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// What a member's key is for. No key is for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing with ECDSA.
    Signing,
    /// Deriving shared secrets with ECDH, to open what is encrypted to it.
    Encryption,
}

impl Purpose {
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Signing => "sign",
            Self::Encryption => "derive secrets (ECDH)",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signing => "signing",
            Self::Encryption => "encryption",
        })
    }
}

/// A token that was unlocked. Locked again when dropped.
pub struct OpenToken {
    // Before the token, so that the session ends first.
    session: Session,
    token: Inserted,
}

/// A private key in a token: a handle, which is of use in that token only.
#[derive(Debug)]
pub struct PrivateKey {
    handle: ObjectHandle,
    facts: KeyFacts,
}

/// What a token says about one of its private keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// `CKA_LABEL`.
    pub label: Vec<u8>,
    /// `CKA_ID`; empty if it has none.
    pub id: Vec<u8>,
    /// Whether the token drew it (`CKA_LOCAL`), where it tells.
    pub drawn_on_token: Option<bool>,
    on_p256: bool,
    signs: bool,
    derives: bool,
    leaves: bool,
    asks_each_time: bool,
}

impl PrivateKey {
    /// What the token says about it.
    #[must_use]
    pub const fn facts(&self) -> &KeyFacts {
        &self.facts
    }
}

impl KeyFacts {
    /// What is not told counts as what would be refused.
    fn of(attributes: &[Attribute]) -> Self {
        let mut facts = Self {
            label: Vec::new(),
            id: Vec::new(),
            drawn_on_token: None,
            on_p256: false,
            signs: false,
            derives: false,
            leaves: false,
            asks_each_time: false,
        };
        let (mut sensitive, mut extractable) = (false, true);
        for attribute in attributes {
            match attribute {
                Attribute::Label(label) => facts.label.clone_from(label),
                Attribute::Id(id) => facts.id.clone_from(id),
                Attribute::Local(local) => facts.drawn_on_token = Some(*local),
                Attribute::EcParams(curve) => facts.on_p256 = *curve == P256,
                Attribute::Sign(may) => facts.signs = *may,
                Attribute::Derive(may) => facts.derives = *may,
                Attribute::Sensitive(yes) => sensitive = *yes,
                Attribute::Extractable(yes) => extractable = *yes,
                Attribute::AlwaysAuthenticate(yes) => facts.asks_each_time = *yes,
                _ => {}
            }
        }
        facts.leaves = extractable || !sensitive;
        facts
    }

    fn require(&self, purpose: Purpose) -> Result<(), TokenError> {
        let may = match purpose {
            Purpose::Signing => self.signs,
            Purpose::Encryption => self.derives,
        };
        if !self.on_p256 {
            return Err(TokenError::KeyOtherCurve { purpose });
        }
        if !may {
            return Err(TokenError::KeyCannot { purpose });
        }
        if self.leaves {
            return Err(TokenError::KeyExtractable { purpose });
        }
        if self.asks_each_time {
            return Err(TokenError::KeyAsksEachTime { purpose });
        }
        Ok(())
    }
}

impl OpenToken {
    pub(crate) const fn new(token: Inserted, session: Session) -> Self {
        Self { session, token }
    }

    /// What the token said about itself when it was chosen.
    #[must_use]
    pub const fn report(&self) -> &TokenReport {
        self.token.report()
    }

    /// The one private elliptic-curve key of that name.
    ///
    /// # Errors
    /// [`TokenError::NoKey`], [`TokenError::SeveralKeys`], [`TokenError::Removed`].
    pub fn find(&self, name: &KeyUri) -> Result<PrivateKey, TokenError> {
        self.find_if_there(name)?.ok_or(TokenError::NoKey)
    }

    /// That key, if there is one.
    ///
    /// # Errors
    /// [`TokenError::SeveralKeys`], [`TokenError::Removed`].
    pub fn find_if_there(&self, name: &KeyUri) -> Result<Option<PrivateKey>, TokenError> {
        let mut wanted = vec![
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::EC),
        ];
        let label = name.object.as_ref();
        wanted.extend(label.map(|label| Attribute::Label(label.as_bytes().to_vec())));
        wanted.extend(name.id.clone().map(Attribute::Id));
        let found = self.step(Step::FindKey, self.session.find_objects(&wanted))?;
        match found.as_slice() {
            [] => {
                // Some modules find nothing where there is nothing left to look in.
                self.token.look(Step::FindKey)?;
                Ok(None)
            }
            [handle] => self.read(*handle).map(Some),
            several => Err(TokenError::SeveralKeys {
                count: several.len(),
            }),
        }
    }

    fn read(&self, handle: ObjectHandle) -> Result<PrivateKey, TokenError> {
        let told = self.session.get_attributes(
            handle,
            &[
                AttributeType::Label,
                AttributeType::Id,
                AttributeType::Local,
                AttributeType::EcParams,
                AttributeType::Sign,
                AttributeType::Derive,
                AttributeType::Sensitive,
                AttributeType::Extractable,
                AttributeType::AlwaysAuthenticate,
            ],
        );
        let facts = KeyFacts::of(&self.step(Step::FindKey, told)?);
        Ok(PrivateKey { handle, facts })
    }

    /// That a key serves a member: on P-256, for this purpose, and staying in the token.
    ///
    /// # Errors
    /// [`TokenError::KeyOtherCurve`], [`TokenError::KeyCannot`], [`TokenError::KeyExtractable`],
    /// [`TokenError::KeyAsksEachTime`].
    pub fn require(&self, key: &PrivateKey, purpose: Purpose) -> Result<(), TokenError> {
        key.facts.require(purpose)
    }

    /// Has the token make a key pair on P-256, for one purpose.
    ///
    /// # Errors
    /// [`TokenError::Cannot`], [`TokenError::WriteProtected`], what the token says, or what
    /// [`require`](Self::require) refuses of what the token made.
    pub fn generate(
        &self,
        purpose: Purpose,
        label: &str,
        id: &[u8],
    ) -> Result<PrivateKey, TokenError> {
        let report = self.report();
        report.abilities.require(Ability::Generate)?;
        if report.write_protected {
            return Err(TokenError::WriteProtected);
        }
        let signs = purpose == Purpose::Signing;
        let name = [
            Attribute::Token(true),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Id(id.to_vec()),
        ];
        let mut public = vec![
            Attribute::Private(false),
            Attribute::EcParams(P256.to_vec()),
            Attribute::Verify(signs),
        ];
        let mut private = vec![
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(signs),
            Attribute::Derive(!signs),
        ];
        public.extend_from_slice(&name);
        private.extend_from_slice(&name);
        let made = self
            .session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
        let (_, handle) = self.step(Step::Generate, made)?;
        let key = self.read(handle)?;
        key.facts.require(purpose)?;
        Ok(key)
    }

    /// The public half, as the token has it beside the key: a SEC 1 point. It is the token's word.
    ///
    /// # Errors
    /// [`TokenError::NoPublicKey`], [`TokenError::Removed`].
    pub fn public_point(&self, key: &PrivateKey) -> Result<Vec<u8>, TokenError> {
        let KeyFacts { label, id, .. } = &key.facts;
        let name = if id.is_empty() {
            Attribute::Label(label.clone())
        } else {
            Attribute::Id(id.clone())
        };
        let wanted = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            name,
        ];
        let found = self.step(Step::FindKey, self.session.find_objects(&wanted))?;
        let [public] = found.as_slice() else {
            self.token.look(Step::FindKey)?;
            return Err(TokenError::NoPublicKey);
        };
        let point = self
            .session
            .get_attributes(*public, &[AttributeType::EcPoint]);
        match self.step(Step::FindKey, point)?.as_slice() {
            [Attribute::EcPoint(point)] => bare(point).ok_or(TokenError::NoPublicKey),
            _ => Err(TokenError::NoPublicKey),
        }
    }

    /// Signs a digest with ECDSA: r then s, of equal length. What comes back is the token's word.
    ///
    /// # Errors
    /// [`TokenError::Removed`], or what the token says.
    pub fn sign(&self, key: &PrivateKey, digest: &[u8]) -> Result<Vec<u8>, TokenError> {
        let signed = self.session.sign(&Mechanism::Ecdsa, key.handle, digest);
        self.step(Step::Sign, signed)
    }

    /// Multiplies a point of P-256, SEC 1 uncompressed, by the key: the x coordinate. The caller has
    /// checked that the point is on the curve.
    ///
    /// # Errors
    /// [`TokenError::Removed`], or what the token says.
    pub fn derive(
        &self,
        key: &PrivateKey,
        point: &[u8; 65],
    ) -> Result<Zeroizing<[u8; SHARED_LEN]>, TokenError> {
        let length = Ulong::try_from(SHARED_LEN);
        let length = self.step(Step::Derive, length)?;
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Token(false),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::ValueLen(length),
        ];
        let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), point));
        let derived = self.session.derive_key(&mechanism, key.handle, &template);
        let derived = self.step(Step::Derive, derived)?;
        let value = self
            .session
            .get_attributes(derived, &[AttributeType::Value]);
        let value = self.step(Step::Derive, value)?.pop();
        let destroyed = self.session.destroy_object(derived);
        let mut secret = Zeroizing::new([0; SHARED_LEN]);
        let mut whole = false;
        if let Some(Attribute::Value(value)) = value {
            let value = Zeroizing::new(value);
            whole = value.len() == SHARED_LEN;
            for (to, from) in secret.iter_mut().zip(value.iter()) {
                *to = *from;
            }
        }
        self.step(Step::Derive, destroyed)?;
        if !whole {
            let step = Step::Derive;
            return Err(TokenError::Failed { step, code: None });
        }
        Ok(secret)
    }

    fn step<T>(&self, step: Step, result: Result<T, Pkcs11Error>) -> Result<T, TokenError> {
        result.map_err(|error| self.token.diagnose(step, &error))
    }
}

/// A point of P-256, P-384 or P-521, which most tokens wrap in a DER OCTET STRING and some do not.
fn bare(point: &[u8]) -> Option<Vec<u8>> {
    const LENGTHS: [usize; 3] = [65, 97, 133];
    let inner = match point {
        [0x04, length, rest @ ..] if *length < 0x80 && usize::from(*length) == rest.len() => rest,
        [0x04, 0x81, length, rest @ ..] if usize::from(*length) == rest.len() => rest,
        _ => point,
    };
    // A bare point may begin like a wrapped one; its length tells them apart.
    let bare = [point, inner];
    let point = bare.into_iter().find(|it| LENGTHS.contains(&it.len()))?;
    (point.first() == Some(&0x04)).then(|| point.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_wrapped_and_bare() {
        for length in [65_usize, 97, 133] {
            let mut point = vec![0x55; length];
            point[0] = 4;
            assert_eq!(bare(&point), Some(point.clone()));
            let mut wrapped = vec![0x04];
            if length >= 0x80 {
                wrapped.push(0x81);
            }
            wrapped.push(u8::try_from(length).unwrap());
            wrapped.extend(&point);
            assert_eq!(bare(&wrapped), Some(point.clone()));
            // Bare, and its first byte looks like a length.
            point[1] = u8::try_from(length - 2).unwrap();
            assert_eq!(bare(&point), Some(point.clone()));
        }
    }

    #[test]
    fn a_point_of_no_known_curve_fails_closed() {
        let compressed = [&[0x04, 33, 2][..], &[0x55; 32]].concat();
        for point in [&[][..], &[4], &[4, 65], &[4; 64], &[5; 65], &compressed] {
            assert_eq!(bare(point), None, "{point:?}");
        }
    }

    fn attributes() -> Vec<Attribute> {
        vec![
            Attribute::EcParams(P256.to_vec()),
            Attribute::Sign(true),
            Attribute::Derive(false),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::AlwaysAuthenticate(false),
        ]
    }

    fn with(at: usize, attribute: Option<Attribute>) -> Result<(), TokenError> {
        let mut told = attributes();
        told.splice(at..=at, attribute);
        KeyFacts::of(&told).require(Purpose::Signing)
    }

    #[test]
    fn a_key_that_does_not_serve_a_member_fails_closed() {
        let purpose = Purpose::Signing;
        assert_eq!(KeyFacts::of(&attributes()).require(purpose), Ok(()));
        let encryption = Purpose::Encryption;
        let cannot = TokenError::KeyCannot {
            purpose: encryption,
        };
        let facts = KeyFacts::of(&attributes());
        assert_eq!(facts.require(encryption), Err(cannot));

        // What is told wrong, and what is not told at all.
        let p384 = vec![0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
        let curve = Err(TokenError::KeyOtherCurve { purpose });
        assert_eq!(with(0, Some(Attribute::EcParams(p384))), curve);
        assert_eq!(with(0, None), curve);
        let cannot = Err(TokenError::KeyCannot { purpose });
        assert_eq!(with(1, Some(Attribute::Sign(false))), cannot);
        assert_eq!(with(1, None), cannot);
        let leaves = Err(TokenError::KeyExtractable { purpose });
        assert_eq!(with(3, Some(Attribute::Sensitive(false))), leaves);
        assert_eq!(with(3, None), leaves);
        assert_eq!(with(4, Some(Attribute::Extractable(true))), leaves);
        assert_eq!(with(4, None), leaves);
        let asks = Err(TokenError::KeyAsksEachTime { purpose });
        assert_eq!(with(5, Some(Attribute::AlwaysAuthenticate(true))), asks);
        assert_eq!(with(5, None), Ok(()));
    }
}
