//! A member's private keys in a file, under a passphrase.
//!
//! Guarantees: the file is useless without the passphrase, at the price of Argon2id with 64 MiB,
//! 3 passes and 4 lanes for every guess (RFC 9106, second recommended option). The price stands in
//! the file, and a file that names a lower one is refused, so nobody can make a cheap one pass for
//! yours; a price that would exhaust the machine is refused too. Every byte is authenticated: the
//! two scalars are sealed with AES-256-GCM under the whole header.
//!
//! Trusts: the passphrase. Nothing here makes a guessable one good.
//!
//! Does not: back up. Whoever loses file or passphrase has lost their share.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use minicbor::{Decode, Encode};
use p256::ecdsa::SigningKey;
use quorate_protocol::atoms::{Bytes, Name};
use quorate_protocol::card::{MemberCard, MemberCardFields};
use quorate_protocol::cbor::{Checked, DecodeError, Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::{EncryptionKey, VerificationKey};
use quorate_sealing::DecryptionKey;
use quorate_sharing::Secret;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Blame, Explanation};
use crate::format::check_format;
use crate::random::{self, NoRandomness};

/// Format number of key files.
const FORMAT: u8 = 1;
/// Memory in KiB: written, and least accepted.
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes: written, and least accepted.
const PASSES: u32 = 3;
/// Lanes: written, and least accepted.
const LANES: u32 = 4;
/// Most accepted: 1 GiB, 16 passes, 16 lanes.
const MOST: Cost = Cost {
    memory_kib: 1024 * 1024,
    passes: 16,
    lanes: 16,
};
/// Shortest passphrase for a new key, in bytes.
const SHORTEST: usize = 12;
/// Longest passphrase, in bytes.
pub const LONGEST_PASSPHRASE: usize = 1024;

/// Why a key file cannot be made or opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// A guess at the passphrase would cost more than this tool will pay.
    #[error(
        "the key file asks for {memory_kib} KiB, {passes} passes and {lanes} lanes, more than \
         this tool accepts"
    )]
    CostTooHigh {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// A guess at the passphrase would be cheaper than this tool ever makes it.
    #[error(
        "the key file is protected with {memory_kib} KiB, {passes} passes and {lanes} lanes only"
    )]
    CostTooLow {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// The scalars are not the keys that the header names.
    #[error("the key file's private and public keys do not belong together")]
    KeysMismatch,
    /// Not a key file.
    #[error("this is no key file: {0}")]
    Malformed(DecodeError),
    /// There is not enough memory for Argon2id.
    #[error("the passphrase could not be processed; 64 MiB of memory are needed")]
    Memory,
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The passphrase is too long.
    #[error("the passphrase has more than {LONGEST_PASSPHRASE} bytes")]
    TooLong,
    /// The passphrase for a new key is too short.
    #[error("the passphrase has {found} bytes, a new key needs at least {SHORTEST}")]
    TooShort {
        /// Its length in bytes.
        found: usize,
    },
    /// The passphrase is wrong, or the file was altered; nobody can tell which.
    #[error("the passphrase does not open the key file")]
    WrongPassphrase,
}

impl KeyFileError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::CostTooHigh { .. } => (
                "key-file-cost-too-high",
                Blame::Machine,
                "this tool did not write that file; restore yours from a backup",
            ),
            Self::CostTooLow { .. } => (
                "key-file-cost-too-low",
                Blame::Machine,
                "do not type your passphrase: this tool did not write that file; restore yours \
                 from a backup and find out who replaced it",
            ),
            Self::KeysMismatch => (
                "key-file-keys-mismatch",
                Blame::Machine,
                "restore the key file from a backup",
            ),
            Self::Malformed(_) => (
                "key-file-malformed",
                Blame::Machine,
                "restore the key file from a backup, or use the version of this tool that wrote it",
            ),
            Self::Memory => (
                "key-file-memory",
                Blame::Machine,
                "close other programs and repeat the command; the cost is never lowered",
            ),
            Self::Randomness(error) => return error.explain(),
            Self::TooLong => (
                "passphrase-too-long",
                Blame::You,
                "use a shorter passphrase",
            ),
            Self::TooShort { .. } => (
                "passphrase-too-short",
                Blame::You,
                "take six or more random words",
            ),
            Self::WrongPassphrase => (
                "wrong-passphrase",
                Blame::You,
                "type it again; if you are sure it is right, the file was altered: restore it from \
                 a backup",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}

/// A passphrase. Wiped when dropped.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes a passphrase for a key that exists.
    ///
    /// # Errors
    /// [`KeyFileError::TooLong`].
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeyFileError> {
        if bytes.len() > LONGEST_PASSPHRASE {
            return Err(KeyFileError::TooLong);
        }
        Ok(Self(bytes))
    }

    /// Whether it is long enough for a new key.
    ///
    /// # Errors
    /// [`KeyFileError::TooShort`].
    pub fn check_new(&self) -> Result<(), KeyFileError> {
        if self.0.len() < SHORTEST {
            return Err(KeyFileError::TooShort {
                found: self.0.len(),
            });
        }
        Ok(())
    }
}

/// A member's private keys. Wiped when dropped.
pub struct MemberKeys {
    name: Name,
    signing: Secret,
    /// The same, ready to sign: to derive the public key costs as much as a signature.
    signing_key: SigningKey,
    decryption: DecryptionKey,
    public: PublicKeys,
}

impl MemberKeys {
    /// Draws new keys.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate(name: Name) -> Result<Self, NoRandomness> {
        let mut rng = random::generator()?;
        let signing = Secret::random(&mut rng);
        Ok(Self::new(name, signing, DecryptionKey::random(&mut rng)))
    }

    fn new(name: Name, signing: Secret, decryption: DecryptionKey) -> Self {
        let signing_key = signing.signing_key();
        let public = PublicKeys {
            signing: VerificationKey::of(&signing_key),
            encryption: decryption.public().into(),
        };
        Self {
            name,
            signing,
            signing_key,
            decryption,
            public,
        }
    }

    /// Whose they are.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The key to sign with. It wipes itself when dropped.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        self.signing_key.clone()
    }

    /// The key to open shares with.
    #[must_use]
    pub fn decryption_key(&self) -> &DecryptionKey {
        &self.decryption
    }

    /// The same keys, for tests that need them twice.
    #[cfg(test)]
    pub(crate) fn duplicate(&self) -> Self {
        let signing = Secret::from_bytes(&self.signing.to_bytes()).unwrap();
        let decryption = DecryptionKey::from_bytes(&self.decryption.to_bytes()).unwrap();
        Self::new(self.name.clone(), signing, decryption)
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        self.public.clone()
    }

    /// The card of these keys.
    ///
    /// # Errors
    /// [`KeyFileError::KeysMismatch`] if both keys are one and the same, which no draw gives.
    pub fn card(&self) -> Result<Signed<MemberCard>, KeyFileError> {
        let card = self.public().card(&self.name);
        let card = card.ok_or(KeyFileError::KeysMismatch)?;
        Ok(Signed::sign(card, &self.signing_key))
    }
}

/// A member's public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    /// Verifies what they sign.
    pub signing: VerificationKey,
    /// What is encrypted to them.
    pub encryption: EncryptionKey,
}

impl PublicKeys {
    /// A card that names them; none if both are one and the same.
    pub(crate) fn card(self, name: &Name) -> Option<MemberCard> {
        let card = Checked::new(MemberCardFields {
            format: quorate_protocol::FORMAT,
            name: name.clone(),
            signing_key: self.signing,
            encryption_key: self.encryption,
        });
        card.ok()
    }
}

/// A key file that has been read and whose price is acceptable; still locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    fields: Fields,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(0)]
    header: Header,
    /// Both scalars, signing then encryption, and the tag.
    #[n(1)]
    sealed: Bytes<80, 80>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Header {
    #[n(0)]
    format: u8,
    #[n(1)]
    name: Name,
    #[n(2)]
    signing_key: VerificationKey,
    #[n(3)]
    encryption_key: EncryptionKey,
    #[n(4)]
    cost: Cost,
    #[n(5)]
    salt: Bytes<16, 16>,
    #[n(6)]
    nonce: Bytes<12, 12>,
}

/// Parameters of Argon2id, version 0x13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Cost {
    #[n(0)]
    memory_kib: u32,
    #[n(1)]
    passes: u32,
    #[n(2)]
    lanes: u32,
}

impl Object for Fields {
    const LABEL: &'static str = "quorate/key-file/v1";
    const MAX: usize = 512;
}

impl KeyFile {
    /// Largest key file in bytes.
    pub const MAX: usize = Fields::MAX;

    /// Locks keys with a passphrase. Takes about as long as a guess: that is the point.
    ///
    /// # Errors
    /// [`KeyFileError`]; [`KeyFileError::TooShort`] for a short passphrase.
    pub fn lock(keys: &MemberKeys, passphrase: &Passphrase) -> Result<Self, KeyFileError> {
        passphrase.check_new()?;
        let malformed = |_| KeyFileError::KeysMismatch;
        let public = keys.public();
        let header = Header {
            format: FORMAT,
            name: keys.name.clone(),
            signing_key: public.signing,
            encryption_key: public.encryption,
            cost: Cost {
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                lanes: LANES,
            },
            salt: Bytes::new(random::bytes::<16>()?.to_vec()).map_err(malformed)?,
            nonce: Bytes::new(random::bytes::<12>()?.to_vec()).map_err(malformed)?,
        };
        let mut scalars = Zeroizing::new([0; 64]);
        let (signing, encryption) = scalars.split_at_mut(32);
        signing.copy_from_slice(&*keys.signing.to_bytes());
        encryption.copy_from_slice(&*keys.decryption.to_bytes());
        let sealed = cipher(&unlocking_key(&header, passphrase)?)
            .encrypt(
                &nonce(&header),
                Payload {
                    msg: &*scalars,
                    aad: &aad(&header),
                },
            )
            .map_err(|_| KeyFileError::KeysMismatch)?;
        let sealed = Bytes::new(sealed).map_err(malformed)?;
        Ok(Self {
            fields: Fields { header, sealed },
        })
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyFileError::Malformed`], [`KeyFileError::CostTooLow`] or [`KeyFileError::CostTooHigh`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyFileError> {
        let fields: Fields = from_bytes(bytes).map_err(KeyFileError::Malformed)?;
        check_format::<Fields>(fields.header.format, FORMAT).map_err(KeyFileError::Malformed)?;
        fields.header.cost.check()?;
        Ok(Self { fields })
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.fields)
    }

    /// Whose keys they are, as the header says; sure only once it is unlocked.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.fields.header.name
    }

    /// The public keys, as the header says; sure only once it is unlocked.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            signing: self.fields.header.signing_key,
            encryption: self.fields.header.encryption_key.clone(),
        }
    }

    /// Unlocks the keys.
    ///
    /// # Errors
    /// [`KeyFileError`]; [`KeyFileError::WrongPassphrase`] also for an altered file.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<MemberKeys, KeyFileError> {
        self.open(&unlocking_key(&self.fields.header, passphrase)?)
    }

    fn open(&self, key: &Zeroizing<[u8; 32]>) -> Result<MemberKeys, KeyFileError> {
        let header = &self.fields.header;
        let payload = Payload {
            msg: self.fields.sealed.as_slice(),
            aad: &aad(header),
        };
        let scalars = cipher(key)
            .decrypt(&nonce(header), payload)
            .map(Zeroizing::new)
            .map_err(|_| KeyFileError::WrongPassphrase)?;
        let mismatch = KeyFileError::KeysMismatch;
        let (signing, encryption) = scalars.split_at_checked(32).ok_or(mismatch.clone())?;
        let scalar = |bytes: &[u8]| {
            let mut scalar = Zeroizing::new([0; 32]);
            (bytes.len() == 32).then(|| scalar.copy_from_slice(bytes))?;
            Some(scalar)
        };
        let signing = scalar(signing).and_then(|s| Secret::from_bytes(&s).ok());
        let decryption = scalar(encryption).and_then(|s| DecryptionKey::from_bytes(&s).ok());
        let (Some(signing), Some(decryption)) = (signing, decryption) else {
            return Err(mismatch);
        };
        let keys = MemberKeys::new(header.name.clone(), signing, decryption);
        if keys.public() != self.public() {
            return Err(mismatch);
        }
        Ok(keys)
    }
}

impl Cost {
    const fn check(self) -> Result<(), KeyFileError> {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        if memory_kib < MEMORY_KIB || passes < PASSES || lanes < LANES {
            return Err(KeyFileError::CostTooLow {
                memory_kib,
                passes,
                lanes,
            });
        }
        if memory_kib > MOST.memory_kib || passes > MOST.passes || lanes > MOST.lanes {
            return Err(KeyFileError::CostTooHigh {
                memory_kib,
                passes,
                lanes,
            });
        }
        Ok(())
    }
}

/// The key a passphrase gives under this header. The memory it took is wiped.
fn argon2id(header: &Header, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let Cost {
        memory_kib,
        passes,
        lanes,
    } = header.cost;
    let failed = |_| KeyFileError::Memory;
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(failed)?;
    let mut blocks = Vec::new();
    blocks
        .try_reserve_exact(params.block_count())
        .map_err(|_| KeyFileError::Memory)?;
    blocks.resize(params.block_count(), Block::new());
    let mut key = Zeroizing::new([0; 32]);
    let hashed = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            &passphrase.0,
            header.salt.as_slice(),
            &mut *key,
            blocks.as_mut_slice(),
        );
    blocks.iter_mut().for_each(|block| block.zeroize());
    hashed.map_err(failed)?;
    Ok(key)
}

/// The label and the whole header.
fn aad(header: &Header) -> Vec<u8> {
    let mut aad = Fields::LABEL.as_bytes().to_vec();
    aad.push(0);
    aad.extend_from_slice(&to_bytes(header));
    aad
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> Aes256Gcm {
    Aes256Gcm::new((&**key).into())
}

fn nonce(header: &Header) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = Nonce::default();
    // The type fixes the length to 12.
    nonce.copy_from_slice(header.nonce.as_slice());
    nonce
}

#[cfg(not(test))]
use argon2id as unlocking_key;

#[cfg(test)]
use self::remembered::unlocking_key;

#[cfg(test)]
mod remembered;

#[cfg(test)]
mod tests;
