//! How a person introduces themselves before there is a definition: name and public keys.
//!
//! A card is signed by the very key it names. So it shows that somebody holds that key and chose
//! that name, and nothing about who they are: people compare fingerprints of the definition that
//! is made from the cards.

use minicbor::{Decode, Encode};

use crate::atoms::Name;
use crate::cbor::{Checked, Rules, object};
use crate::cose::{BadSignature, Signed};
use crate::invalid::Invalid;
use crate::keys::{EncryptionKey, VerificationKey};

/// A person's name and keys.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MemberCardFields {
    /// Format number; [`crate::FORMAT`].
    #[n(0)]
    pub format: u8,
    /// What they want to be called.
    #[n(1)]
    pub name: Name,
    /// Verifies what they sign, this card included.
    #[n(2)]
    pub signing_key: VerificationKey,
    /// What is encrypted to them. Never the signing key.
    #[n(3)]
    pub encryption_key: EncryptionKey,
}

/// A card whose two keys differ.
pub type MemberCard = Checked<MemberCardFields>;

impl Rules for MemberCardFields {
    fn check(&self) -> Result<(), Invalid> {
        if self.format != crate::FORMAT {
            return Err(Invalid::Format { found: self.format });
        }
        if self.signing_key.to_compressed() == self.encryption_key.to_compressed() {
            return Err(Invalid::KeyReused);
        }
        Ok(())
    }
}

impl Signed<MemberCard> {
    /// The card, if the key it names signed it.
    ///
    /// # Errors
    /// [`BadSignature`]; then nobody has shown to hold that key.
    pub fn verify_self(&self) -> Result<&MemberCard, BadSignature> {
        self.verify(&self.unverified().signing_key)
    }
}

object! {
    MemberCard => "quorate/member-card/v1", 256;
}
