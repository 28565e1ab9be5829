//! What the hypervisor measures before an enclave starts.
//!
//! PCRs begin at 48 zero bytes and are extended once: a PCR that measures `data` has the value
//! SHA-384(0⁴⁸ ‖ `data`). PCR0 to PCR2 measure the image, PCR3 the ARN of the parent instance's
//! role, PCR4 the id of the parent instance, PCR8 the certificate that signed the image. All of
//! this was checked against genuine documents.
//!
//! An ordinary process has no image. [`process_measurements`] says what stands for it: the file
//! that was started. It is what the operating system was asked to run, not proof that it did.

use sha2::{Digest, Sha384};

use crate::identity::InstanceId;

/// A PCR of a SHA-384 bank.
pub type Pcr = [u8; 48];

/// The value of a PCR that measured nothing.
pub const ZERO_PCR: Pcr = [0; 48];

/// The measurements of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// The whole image.
    pub pcr0: Pcr,
    /// The kernel and the first ramdisk.
    pub pcr1: Pcr,
    /// The ramdisks after the first.
    pub pcr2: Pcr,
    /// The signing certificate, for a signed image.
    pub pcr8: Option<Pcr>,
}

/// The measurements of an ordinary process started from `init_file` (its bytes).
///
/// PCR0 = PCR1 = SHA-384(0⁴⁸ ‖ SHA-384(`init_file`)); PCR2 is that of an image without an
/// application ramdisk; the image is not signed.
pub fn process_measurements(init_file: &[u8]) -> Measurements {
    let image = measure(&Sha384::digest(init_file));
    Measurements {
        pcr0: image,
        pcr1: image,
        pcr2: empty_ramdisk(),
        pcr8: None,
    }
}

/// PCR2 of an image without an application ramdisk: SHA-384(0⁴⁸ ‖ SHA-384("")).
pub fn empty_ramdisk() -> Pcr {
    measure(&Sha384::digest(b""))
}

/// PCR3 of an enclave whose parent instance has the role of this ARN.
pub fn role_pcr(role_arn: &str) -> Pcr {
    measure(role_arn.as_bytes())
}

/// PCR4 of an enclave on this instance.
pub fn instance_pcr(instance: &InstanceId) -> Pcr {
    measure(instance.as_str().as_bytes())
}

/// The value of a PCR after `data` was measured into `old`: SHA-384(`old` ‖ `data`).
pub fn extend(old: &Pcr, data: &[u8]) -> Pcr {
    Sha384::new()
        .chain_update(old)
        .chain_update(data)
        .finalize()
        .into()
}

fn measure(data: &[u8]) -> Pcr {
    extend(&ZERO_PCR, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(pcr: &Pcr) -> String {
        pcr.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The value in genuine documents of images without an application ramdisk.
    #[test]
    fn empty_ramdisk_is_that_of_genuine_documents() {
        assert_eq!(
            hex(&empty_ramdisk()),
            "21b9efbc184807662e966d34f390821309eeac6802309798\
             826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"
        );
    }

    /// The instance and PCR4 of a genuine document of 2025-09-16.
    #[test]
    fn instance_pcr_is_that_of_genuine_documents() {
        let instance = InstanceId::parse("i-02447a481344e9ec0").expect("a genuine id");
        assert_eq!(
            hex(&instance_pcr(&instance)),
            "e630c348ef85591c244f916654094c54c8870160b4e1c122\
             9bb2fc3de476c02fa413d3fc6d29be58c6f586a925eb5947"
        );
    }

    #[test]
    fn process_measurements_name_the_file() {
        let one = process_measurements(b"one");
        let two = process_measurements(b"two");
        assert_eq!(one.pcr0, one.pcr1);
        assert_ne!(one.pcr0, two.pcr0);
        assert_eq!(one.pcr2, two.pcr2);
        assert_eq!(one.pcr8, None);
        assert_ne!(process_measurements(b"").pcr0, ZERO_PCR);
        // `printf one | sha384sum`, then `sha384sum` of 48 zero bytes and that digest.
        assert_eq!(
            hex(&one.pcr0),
            "d5ae5726e2c633e465586f1d22f11fee0880c95480f3ffc8\
             35310a1885aa9cae0cee6cd0ca38fa5f39a118e7637a6e93"
        );
    }
}
