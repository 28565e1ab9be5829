//! The enclave's own module as the phases use it: registers checked, time known, keys made.

use chacha20::ChaCha20Rng;
use p256::ecdsa::SigningKey;
use quorate_protocol::application::TimeAnchor;
use quorate_protocol::atoms::{Pcr, Text, UnixMillis};
use quorate_protocol::attested::{UserData, extended_once};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::definition::Measurements;
use quorate_protocol::genesis::Document;
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::message::{Nonce, Reason};
use quorate_sealing::DecryptionKey;
use quorate_sharing::Secret;
use quorate_verify::instance::PCR_ROLE;
use rand_core::Rng as _;

use crate::clock::Clock;
use crate::entropy;
use crate::nsm::{Nsm, Transport};
use crate::refuse::{Denied, Halt, refuse};

/// The NSM and what was learnt from it.
pub(crate) struct Device<T> {
    nsm: Nsm<T>,
    clock: Clock,
    module_id: Text<256>,
    registers: u16,
}

impl<T: Transport> Device<T> {
    /// Asks the module who it is and what time it is.
    ///
    /// # Errors
    /// [`Halt`]; an enclave without its NSM is of no use.
    pub(crate) fn open(transport: T) -> Result<Self, Halt> {
        let mut nsm = Nsm::new(transport);
        let description = nsm.describe()?;
        let clock = Clock::read(&mut nsm)?;
        Ok(Self {
            nsm,
            clock,
            // Known to fit now, not only when members have given their shares.
            module_id: Text::new(&description.module_id).map_err(|_| Halt::ModuleId)?,
            registers: description.max_pcrs,
        })
    }

    /// The time by the NSM.
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The reading of the NSM that [`now`](Self::now) goes by.
    pub(crate) fn time(&self) -> TimeAnchor {
        self.clock.anchor()
    }

    /// As [`time`](Self::time), after reading the NSM again if the last reading is old. A reading
    /// that would turn time back is not taken.
    pub(crate) fn reread_time(&mut self) -> Result<TimeAnchor, Halt> {
        if self.clock.is_old() {
            let before = self.clock.now();
            let clock = Clock::read(&mut self.nsm)?;
            if clock.now() >= before {
                self.clock = clock;
            }
        }
        Ok(self.clock.anchor())
    }

    /// The module's identifier.
    pub(crate) fn module_id(&self) -> &Text<256> {
        &self.module_id
    }

    /// Fills `bytes` with the module's randomness.
    pub(crate) fn random(&mut self, bytes: &mut [u8]) -> Result<(), Halt> {
        for chunk in bytes.chunks_mut(32) {
            let random = self.nsm.random()?;
            let random = random.get(..chunk.len()).ok_or(Halt::Derivation)?;
            chunk.copy_from_slice(random);
        }
        Ok(())
    }

    /// The register of the parent instance's role (PCR3).
    pub(crate) fn role_register(&mut self) -> Result<Pcr, Halt> {
        Ok(Pcr(self.nsm.describe_pcr(PCR_ROLE.into())?.value))
    }

    /// A generator for one purpose.
    pub(crate) fn generator<'a>(
        &mut self,
        contributions: impl Iterator<Item = &'a [u8]>,
    ) -> Result<ChaCha20Rng, Halt> {
        Ok(entropy::generator(&mut self.nsm, contributions)?)
    }

    /// 32 fresh bytes for somebody who has to answer to them.
    pub(crate) fn nonce(&mut self) -> Result<Vec<u8>, Halt> {
        let mut nonce = vec![0; 32];
        self.generator(core::iter::empty())?.fill_bytes(&mut nonce);
        Ok(nonce)
    }

    /// Compares the enclave's own registers with what was agreed. It stops mistakes early and
    /// proves nothing to others: a changed image would not check itself.
    pub(crate) fn expect_measurements(&mut self, agreed: &Measurements) -> Result<(), Denied> {
        for (index, expected) in agreed.registers() {
            let found = Pcr(self.nsm.describe_pcr(index.into())?.value);
            if found == Pcr::ZERO {
                let why = match index {
                    0..=2 => "this enclave runs in debug mode",
                    3 => "the parent instance has no role",
                    _ => "the image is not signed",
                };
                let detail = format!("PCR{index} is zero: {why}");
                return Err(refuse(Reason::MeasurementMismatch, &detail));
            }
            if found != expected {
                let detail = format!("PCR{index} is {found}, agreed was {expected}");
                return Err(refuse(Reason::MeasurementMismatch, &detail));
            }
        }
        Ok(())
    }

    /// Extends a register that nothing was written to, and checks the result.
    pub(crate) fn commit(&mut self, index: u8, data: &[u8; 48]) -> Result<(), Halt> {
        let found = Pcr(self.nsm.extend(index.into(), data)?);
        if found == extended_once(data) {
            Ok(())
        } else {
            Err(Halt::Register { index })
        }
    }

    /// Locks every register for the life of the enclave.
    pub(crate) fn lock_all(&mut self) -> Result<(), Halt> {
        Ok(self.nsm.lock_range(self.registers)?)
    }

    /// An attestation document.
    pub(crate) fn attest(
        &mut self,
        user_data: &UserData,
        nonce: &Nonce,
        keys: Option<&KeyPair>,
    ) -> Result<Document, Halt> {
        let keys = keys.map(KeyPair::to_attested);
        let user_data = to_bytes(user_data);
        let key = keys.as_ref().map(<[u8; KeyPair::LEN]>::as_slice);
        let document = self
            .nsm
            .attest(Some(&user_data), Some(nonce.as_slice()), key)?;
        Document::new(document).map_err(|_| Halt::DocumentLength)
    }
}

/// Both secret keys of one stage, and their public halves. Erased when dropped.
///
/// Made in a box and moved only with it, so that erasing reaches the one copy there is.
pub(crate) struct SecretPair {
    pub(crate) decryption: DecryptionKey,
    pub(crate) signing: SigningKey,
    pub(crate) public: KeyPair,
}

impl SecretPair {
    /// Makes a pair.
    pub(crate) fn generate(generator: &mut ChaCha20Rng) -> Box<Self> {
        let decryption = DecryptionKey::random(generator);
        let signing = Secret::random(generator).signing_key();
        let public = KeyPair {
            encryption: decryption.public().into(),
            verification: VerificationKey::of(&signing),
        };
        Box::new(Self {
            decryption,
            signing,
            public,
        })
    }
}
