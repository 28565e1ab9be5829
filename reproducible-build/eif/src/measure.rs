//! Measurements: what a Nitro hypervisor puts into the registers before an image starts.
//!
//! Each register is extended once, from zero: SHA-384(48 zero bytes ‖ SHA-384(content)). The content
//! of PCR0 is kernel, command line and all ramdisks; of PCR1 kernel, command line and the first
//! ramdisk; of PCR2 the other ramdisks (an image with one ramdisk has the constant of no content);
//! of PCR8 the signing certificate in DER.
//!
//! Guarantees: each byte is hashed once for PCR0 and PCR1 together, which share their beginning, and
//! a second time only for PCR2, then on a second thread.

use std::fmt;
use std::thread;

use sha2::{Digest as _, Sha384};

use crate::header::SectionKind;

/// Content below this is not worth a thread: 256 KiB.
const WORTH_A_THREAD: usize = 256 * 1024;

/// The value of one register.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PcrValue([u8; 48]);

impl PcrValue {
    /// The register's bytes.
    pub const fn as_bytes(&self) -> &[u8; 48] {
        &self.0
    }

    /// A value from somewhere else.
    pub const fn from_bytes(bytes: [u8; 48]) -> Self {
        Self(bytes)
    }

    /// A value written as 96 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 96 {
            return None;
        }
        let mut bytes = [0; 48];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16)?;
                *byte = *byte << 4 | u8::try_from(value).ok()?;
            }
        }
        Some(Self(bytes))
    }

    /// A register extended once, from zero, with the digest of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self::extended(Sha384::new_with_prefix(content))
    }

    fn extended(content: Sha384) -> Self {
        let mut register = Sha384::new_with_prefix([0; 48]);
        register.update(content.finalize());
        Self(register.finalize().into())
    }
}

impl fmt::Display for PcrValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PcrValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The registers an image fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// The whole image: kernel, command line, all ramdisks.
    pub pcr0: PcrValue,
    /// The operating system: kernel, command line, first ramdisk.
    pub pcr1: PcrValue,
    /// What was added to it: the other ramdisks.
    pub pcr2: PcrValue,
    /// The signing certificate, if the image is signed. The hypervisor sets it only when the
    /// signature is good; that is not checked here.
    pub pcr8: Option<PcrValue>,
}

/// Takes the content of measured sections, in order.
#[derive(Clone, Debug)]
pub(crate) struct Measurer {
    image: Sha384,
    /// State of `image` after the first ramdisk.
    system: Option<Sha384>,
    added: Sha384,
    ramdisks: usize,
}

impl Measurer {
    pub(crate) fn new() -> Self {
        Self {
            image: Sha384::new(),
            system: None,
            added: Sha384::new(),
            ramdisks: 0,
        }
    }

    /// A section begins.
    pub(crate) fn begin(&mut self, kind: SectionKind) {
        if kind == SectionKind::Ramdisk {
            if self.ramdisks == 1 {
                self.system = Some(self.image.clone());
            }
            self.ramdisks = self.ramdisks.saturating_add(1);
        }
    }

    /// Some of its content; only of measured kinds.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if self.ramdisks < 2 {
            self.image.update(bytes);
        } else if bytes.len() < WORTH_A_THREAD {
            self.image.update(bytes);
            self.added.update(bytes);
        } else {
            let (image, added) = (&mut self.image, &mut self.added);
            let helped = thread::scope(|scope| {
                let mut copy = added.clone();
                let helper = thread::Builder::new().spawn_scoped(scope, move || {
                    copy.update(bytes);
                    copy
                });
                image.update(bytes);
                helper.ok()?.join().ok()
            });
            // A machine without a thread to spare measures the same, later.
            match helped {
                Some(state) => *added = state,
                None => added.update(bytes),
            }
        }
    }

    pub(crate) fn finish(self, pcr8: Option<PcrValue>) -> Measurements {
        let system = self.system.unwrap_or_else(|| self.image.clone());
        Measurements {
            pcr0: PcrValue::extended(self.image),
            pcr1: PcrValue::extended(system),
            pcr2: PcrValue::extended(self.added),
            pcr8,
        }
    }
}
