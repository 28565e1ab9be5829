//! Documents in the shapes that genuine ones have had, under roots of our own.
//!
//! What changed over the years: the leaf's window, the identifiers of the instance certificate, the
//! head of the payload, the number of registers. What did not: names, path lengths and usages.

use sha2::{Digest, Sha256};

use super::cbor::Cbor;
use super::der;
use super::nitro::{Certificate, Recipe, name_of, oids, public_key, signing_key};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// digitalSignature, keyCertSign and cRLSign; keyCertSign alone.
const AUTHORITY: u8 = 0x86;
const CERT_SIGN: u8 = 0x04;

/// Whether the instance certificate has key identifiers, as since 2024.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identifiers {
    None,
    Both,
}

struct Profile {
    root: &'static str,
    scope: &'static str,
    instance_id: &'static str,
    enclave: &'static str,
    /// The first of five keys.
    keys: u8,
    timestamp_ms: u64,
    /// The leaf's window, before and after the second of signing.
    leaf: (u64, u64),
    identifiers: Identifiers,
}

/// As in March 2021: definite lengths, leaves of exactly three hours.
pub(crate) fn of_2021() -> Recipe {
    let profile = Profile {
        root: "aws-2021.nitro-enclaves",
        scope: "test-west-1.aws",
        instance_id: "i-078824548edcf0000",
        enclave: "01784234ec220000",
        keys: 0x21,
        timestamp_ms: 1_616_018_515_685,
        leaf: (0, 3 * HOUR),
        identifiers: Identifiers::None,
    };
    let mut recipe = profile.recipe();
    recipe.public_key = None;
    recipe.nonce = None;
    recipe
}

/// As since August 2025: an indefinite payload, key identifiers, leaves of three hours and three
/// seconds, a register in use beyond the first sixteen.
pub(crate) fn of_2025() -> Recipe {
    let profile = Profile {
        root: "aws-2025.nitro-enclaves",
        scope: "test-east-1.aws",
        instance_id: "i-06fb0bf4e70d0000f",
        enclave: "019a5376999041b1",
        keys: 0x31,
        timestamp_ms: 1_762_795_210_812,
        leaf: (42, 3 * HOUR - 39),
        identifiers: Identifiers::Both,
    };
    let mut recipe = profile.recipe();
    recipe.registers = 17;
    recipe.encode_payload = |entries| Cbor::IndefiniteMap(entries).encode();
    recipe
}

impl Profile {
    fn recipe(&self) -> Recipe {
        let mut recipe = Recipe::new();
        recipe.certificates = self.chain();
        recipe.module_id = format!("{}-enc{}", self.instance_id, self.enclave);
        recipe.timestamp_ms = self.timestamp_ms;
        recipe.signer = signing_key(self.keys + 4);
        recipe
    }

    fn chain(&self) -> Vec<Certificate> {
        let signed = self.timestamp_ms / 1000;
        let scope = self.scope;
        let root = short_name(self.root);
        let regional = short_name(&format!("fe565549cd9f0000.{scope}.nitro-enclaves"));
        let zonal = zonal_name(&format!("c0b4ac5172a00000.zonal.{scope}.nitro-enclaves"));
        let instance = long_name(&format!("{}.{scope}.nitro-enclaves", self.instance_id));
        let module = format!("{}-enc{}.{scope}", self.instance_id, self.enclave);
        let leaf = long_name(&module);

        // 2019-10-28 to 2049-10-28, as the real root.
        let mut first = self.certificate(0, (&root, &root), (1_572_269_285, 2_519_044_085));
        first = first.authority(None, AUTHORITY);
        self.identify(&mut first, 0, None);
        let window = (signed - 3 * DAY, signed + 17 * DAY + HOUR);
        let mut second = self.certificate(1, (&root, &regional), window);
        second = second.authority(Some(2), AUTHORITY);
        self.identify(&mut second, 1, Some(0));
        let window = (signed - 8 * HOUR, signed + 5 * DAY);
        let mut third = self.certificate(2, (&regional, &zonal), window);
        third = third.authority(Some(1), AUTHORITY);
        self.identify(&mut third, 2, Some(1));
        for certificate in [&mut second, &mut third] {
            certificate.set_extension(oids::CRL_POINTS, false, crl_points());
        }
        let window = (signed - 27 * 60, signed - 27 * 60 + DAY);
        let mut fourth = self.certificate(3, (&zonal, &instance), window);
        fourth = fourth.authority(Some(0), CERT_SIGN);
        if self.identifiers == Identifiers::Both {
            self.identify(&mut fourth, 3, Some(2));
        }
        let window = (signed - self.leaf.0, signed + self.leaf.1);
        let mut last = self.certificate(4, (&instance, &leaf), window);
        last.set_basic_constraints(false, None);
        // digitalSignature and nonRepudiation, not critical.
        last.set_extension(oids::KEY_USAGE, false, der::bit_string(6, &[0xc0]));
        vec![first, second, third, fourth, last]
    }

    fn certificate(&self, place: u8, names: (&[u8], &[u8]), window: (u64, u64)) -> Certificate {
        let key = self.keys + place;
        let signer = self.keys + place.saturating_sub(1);
        let mut certificate = Certificate::new(1, ("", ""), window, signer, key);
        certificate.issuer = names.0.to_vec();
        certificate.subject = names.1.to_vec();
        certificate.serial = der::unsigned(&self.serial(place));
        certificate
    }

    /// 16 bytes for the first three, 20 with the high bit set for the instance, 16 for the leaf.
    fn serial(&self, place: u8) -> Vec<u8> {
        let digest = Sha256::digest([self.keys, place]);
        let mut serial = digest[..if place == 3 { 20 } else { 16 }].to_vec();
        serial[0] |= if place == 3 { 0x80 } else { 0x01 };
        serial
    }

    fn identify(&self, certificate: &mut Certificate, own: u8, issuer: Option<u8>) {
        let identifier = |place| Sha256::digest(public_key(self.keys + place))[..20].to_vec();
        let subject = der::tlv(der::OCTET_STRING, &identifier(own));
        certificate.set_extension(oids::SUBJECT_KEY_ID, false, subject);
        if let Some(issuer) = issuer {
            // keyIdentifier [0].
            let value = der::sequence(&[der::tlv(0x80, &identifier(issuer))]);
            certificate.set_extension(oids::AUTHORITY_KEY_ID, false, value);
        }
    }
}

/// One point: a full name that is a URI.
fn crl_points() -> Vec<u8> {
    let uri = der::tlv(
        0x86,
        b"http://crl.example.com/crl/00000000-0000-4000-8000-000000000000.crl",
    );
    let point = der::sequence(&[der::explicit(0, &der::explicit(0, &uri))]);
    der::sequence(&[point])
}

/// The order of the root and the regional authority.
fn short_name(common_name: &str) -> Vec<u8> {
    name_of(&[
        (oids::COUNTRY, der::PRINTABLE_STRING, "US"),
        (oids::ORGANIZATION, der::UTF8_STRING, "Tests"),
        (oids::UNIT, der::UTF8_STRING, "Nitro"),
        (oids::COMMON_NAME, der::UTF8_STRING, common_name),
    ])
}

/// The zonal authority's order: that of the others reversed.
fn zonal_name(common_name: &str) -> Vec<u8> {
    name_of(&[
        (oids::COMMON_NAME, der::UTF8_STRING, common_name),
        (oids::UNIT, der::UTF8_STRING, "Nitro"),
        (oids::ORGANIZATION, der::UTF8_STRING, "Tests"),
        (oids::COUNTRY, der::PRINTABLE_STRING, "US"),
        (oids::STATE, der::UTF8_STRING, "WA"),
        (oids::LOCALITY, der::UTF8_STRING, "Seattle"),
    ])
}

/// The order of the instance and of the leaf.
fn long_name(common_name: &str) -> Vec<u8> {
    name_of(&[
        (oids::COUNTRY, der::PRINTABLE_STRING, "US"),
        (oids::STATE, der::UTF8_STRING, "Washington"),
        (oids::LOCALITY, der::UTF8_STRING, "Seattle"),
        (oids::ORGANIZATION, der::UTF8_STRING, "Tests"),
        (oids::UNIT, der::UTF8_STRING, "Nitro"),
        (oids::COMMON_NAME, der::UTF8_STRING, common_name),
    ])
}
