//! The development root and the chain of five certificates below it.
//!
//! The shape is AWS's: root, regional (path length 2), zonal (1), instance (0, 24 hours), leaf
//! (3 hours and 3 seconds), all P-384 with ecdsa-with-SHA384. `profile` holds what each level
//! looks like.
//!
//! What it guarantees: the private key of the root is made here, is in this process only, cannot
//! be read, printed or cloned, and is wiped when the root is dropped; the same holds for the keys
//! below it. A chain from [`Chain::issue`] or [`Chain::renew`] is valid at the time given and for
//! some minutes after it, each certificate inside the validity of its issuer.
//!
//! What it does not do: revoke. The certificates name revocation lists, as genuine ones do, but
//! there are none behind those names.

use std::time::Duration;

use p384::SecretKey;
use p384::ecdsa::{DerSignature, SigningKey};
use p384::elliptic_curve::Generate;
use rand_core::TryCryptoRng;
use thiserror::Error;
use x509_cert::Certificate;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{DateTime, Decode, Encode, EncodePem};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};

use self::profile::Profile;
pub use self::profile::{Level, PARTITION, REGION};
use crate::identity::ModuleId;

mod profile;

/// Why a certificate could not be made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PkiError {
    /// The certificate could not be built or signed.
    #[error("the {level:?} certificate could not be built; this is a mistake in the emulator")]
    Certificate {
        /// Which certificate.
        level: Level,
    },
    /// The random source failed.
    #[error("the random source failed; no key can be made")]
    Random,
    /// The root is not valid at this time.
    #[error("the development root is not valid at {now} s; restart the emulator")]
    RootNotValid {
        /// Seconds since 1970.
        now: u64,
    },
    /// The time cannot stand in a certificate.
    #[error("{now} s cannot stand in a certificate; is the clock right?")]
    Time {
        /// Seconds since 1970.
        now: u64,
    },
}

/// The root of a local Nitro. Its private key never leaves it.
pub struct DevelopmentRoot(Authority);

/// The certificates and keys of one enclave's NSM below a root.
pub struct Chain {
    root: Vec<u8>,
    regional: Authority,
    zonal: Authority,
    instance: Authority,
    leaf: Authority,
}

/// A certificate with its private key. `SigningKey` wipes itself when dropped.
struct Authority {
    key: SigningKey,
    subject: Name,
    certificate: Vec<u8>,
    not_before: u64,
    not_after: u64,
}

impl DevelopmentRoot {
    /// Makes a new root that is valid from an hour before `now_ms` (milliseconds since 1970) for
    /// thirty years.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R, now_ms: u64) -> Result<Self, PkiError> {
        Authority::issue(Level::Root, None, None, rng, now_ms / 1000).map(Self)
    }

    /// The certificate, DER.
    pub fn root_der(&self) -> &[u8] {
        &self.0.certificate
    }

    /// The certificate, PEM with Unix line ends.
    ///
    /// # Errors
    /// [`PkiError::Certificate`].
    pub fn root_pem(&self) -> Result<String, PkiError> {
        Certificate::from_der(&self.0.certificate)
            .and_then(|certificate| certificate.to_pem(LineEnding::LF))
            .map_err(|_| PkiError::Certificate { level: Level::Root })
    }
}

impl Chain {
    /// Issues a chain for the enclave `module`, valid at `now_ms` (milliseconds since 1970).
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn issue<R: TryCryptoRng + ?Sized>(
        root: &DevelopmentRoot,
        module: &ModuleId,
        rng: &mut R,
        now_ms: u64,
    ) -> Result<Self, PkiError> {
        let now = now_ms / 1000;
        if !root.0.lasts(Level::Root, now) {
            return Err(PkiError::RootNotValid { now });
        }
        let mut below =
            |level, issuer| Authority::issue(level, Some(issuer), Some(module), rng, now);
        let regional = below(Level::Regional, &root.0)?;
        let zonal = below(Level::Zonal, &regional)?;
        let instance = below(Level::Instance, &zonal)?;
        let leaf = below(Level::Leaf, &instance)?;
        Ok(Self {
            root: root.0.certificate.clone(),
            regional,
            zonal,
            instance,
            leaf,
        })
    }

    /// Replaces what has ended or is about to at `now_ms`, and everything below it.
    ///
    /// The chain is unchanged when nothing has to be replaced or when an error is returned.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn renew<R: TryCryptoRng + ?Sized>(
        &mut self,
        root: &DevelopmentRoot,
        module: &ModuleId,
        rng: &mut R,
        now_ms: u64,
    ) -> Result<(), PkiError> {
        let now = now_ms / 1000;
        if !self.regional.lasts(Level::Regional, now)
            || !self.zonal.lasts(Level::Zonal, now)
            || self.root != root.0.certificate
        {
            *self = Self::issue(root, module, rng, now_ms)?;
        } else if !self.instance.lasts(Level::Instance, now) {
            let (level, issuer) = (Level::Instance, &self.zonal);
            let instance = Authority::issue(level, Some(issuer), Some(module), rng, now)?;
            let leaf = Authority::issue(Level::Leaf, Some(&instance), Some(module), rng, now)?;
            (self.instance, self.leaf) = (instance, leaf);
        } else if !self.leaf.lasts(Level::Leaf, now) {
            let (level, issuer) = (Level::Leaf, &self.instance);
            self.leaf = Authority::issue(level, Some(issuer), Some(module), rng, now)?;
        }
        Ok(())
    }

    /// The leaf certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.leaf.certificate
    }

    /// The certificates above the leaf, DER, from the root down, as a document lists them.
    pub fn cabundle(&self) -> [&[u8]; 4] {
        [
            &self.root,
            &self.regional.certificate,
            &self.zonal.certificate,
            &self.instance.certificate,
        ]
    }

    /// The key of the leaf.
    pub(crate) fn leaf_key(&self) -> &SigningKey {
        &self.leaf.key
    }
}

impl Authority {
    /// Makes a key and its certificate. Without an issuer the certificate is self-signed.
    fn issue<R: TryCryptoRng + ?Sized>(
        level: Level,
        issuer: Option<&Self>,
        module: Option<&ModuleId>,
        rng: &mut R,
        now: u64,
    ) -> Result<Self, PkiError> {
        let serial = draw(rng)?;
        let label = u64::from_be_bytes(draw(rng)?);
        let list = u128::from_be_bytes(draw(rng)?);
        let key = SecretKey::try_generate_from_rng(rng).map_err(|_| PkiError::Random)?;
        let key = SigningKey::from(key);

        let lifetime = level.lifetime();
        let time = PkiError::Time { now };
        let mut not_before = now.checked_sub(lifetime.backdated).ok_or(time)?;
        let not_after = now.checked_add(lifetime.remaining).ok_or(time)?;
        if let Some(issuer) = issuer {
            // The caller saw to it that the issuer lives long enough.
            not_before = not_before.max(issuer.not_before);
        }
        let validity = Validity::new(
            certificate_time(not_before).ok_or(time)?,
            certificate_time(not_after).ok_or(time)?,
        );
        let issued = u32::try_from(now).map_err(|_| time)?;

        let failed = PkiError::Certificate { level };
        let serial = level.serial(serial, module, issued);
        let subject = level.subject(module, label).map_err(|_| failed)?;
        let (issuer_name, signer) = match issuer {
            Some(issuer) => (issuer.subject.clone(), &issuer.key),
            None => (subject.clone(), &key),
        };
        let profile = Profile {
            level,
            issuer: issuer_name,
            subject: subject.clone(),
            list,
        };
        let public =
            SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).map_err(|_| failed)?;
        let serial = SerialNumber::new(&serial).map_err(|_| failed)?;
        let certificate = CertificateBuilder::new(profile, serial, validity, public)
            .and_then(|builder| builder.build::<_, DerSignature>(signer))
            .map_err(|_| failed)?
            .to_der()
            .map_err(|_| failed)?;
        Ok(Self {
            key,
            subject,
            certificate,
            not_before,
            not_after,
        })
    }

    /// Whether this certificate is valid at `now` and long enough after it.
    fn lasts(&self, level: Level, now: u64) -> bool {
        let until = now.saturating_add(level.lifetime().margin);
        self.not_before <= now && until <= self.not_after
    }
}

fn draw<const N: usize, R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<[u8; N], PkiError> {
    let mut bytes = [0; N];
    rng.try_fill_bytes(&mut bytes)
        .map_err(|_| PkiError::Random)?;
    Ok(bytes)
}

fn certificate_time(seconds: u64) -> Option<Time> {
    DateTime::from_unix_duration(Duration::from_secs(seconds))
        .ok()
        .map(Time::from)
}
