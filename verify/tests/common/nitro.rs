//! Certificates and documents in the Nitro profile, each part replaceable.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use sha2::{Digest, Sha256, Sha384};

use super::cbor::Cbor;
use super::der;

/// The moment around which everything is made: 2027-01-15T08:00:00Z.
pub(crate) const NOW: u64 = 1_800_000_000;
/// When the document is signed.
pub(crate) const TIMESTAMP_MS: u64 = NOW * 1000 + 123;
pub(crate) const NONCE: [u8; 32] = *b"thirty-two bytes of a challenge.";

pub(crate) const INSTANCE_ID: &str = "i-0123456789abcdef0";
pub(crate) const MODULE_ID: &str = "i-0123456789abcdef0-enc0123456789abcdef";
pub(crate) const LEAF_NAME: &str = "i-0123456789abcdef0-enc0123456789abcdef.test-1.development";
pub(crate) const INSTANCE_NAME: &str = "i-0123456789abcdef0.test-1.development.nitro-enclaves";

/// The places of the five certificates.
pub(crate) const ROOT: usize = 0;
pub(crate) const REGIONAL: usize = 1;
pub(crate) const ZONAL: usize = 2;
pub(crate) const INSTANCE: usize = 3;
pub(crate) const LEAF: usize = 4;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

pub(crate) mod oids {
    pub(crate) const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    pub(crate) const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    pub(crate) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(crate) const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(crate) const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0, 0x22];
    pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    pub(crate) const COUNTRY: &[u8] = &[0x55, 4, 6];
    pub(crate) const ORGANIZATION: &[u8] = &[0x55, 4, 10];
    pub(crate) const UNIT: &[u8] = &[0x55, 4, 11];
    pub(crate) const LOCALITY: &[u8] = &[0x55, 4, 7];
    pub(crate) const STATE: &[u8] = &[0x55, 4, 8];
    pub(crate) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
    pub(crate) const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
    pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
    pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
    pub(crate) const CRL_POINTS: &[u8] = &[0x55, 0x1d, 31];
    pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
    /// An extension that nobody knows.
    pub(crate) const UNKNOWN: &[u8] = &[0x2a, 3, 4, 5];
}

/// One extension: identifier, criticality, value.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    pub(crate) id: &'static [u8],
    pub(crate) critical: bool,
    pub(crate) value: Vec<u8>,
}

/// A certificate before it is signed. Every field is the DER of its part.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) version: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) inner_algorithm: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) key_info: Vec<u8>,
    pub(crate) unique_ids: Vec<u8>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) outer_algorithm: Vec<u8>,
    /// The key that signs.
    pub(crate) signer: SigningKey,
    /// Turns the DER signature into the content of the outer BIT STRING.
    pub(crate) edit_signature: fn(Signature) -> Vec<u8>,
    /// A last change to the finished certificate.
    pub(crate) edit_der: fn(Vec<u8>) -> Vec<u8>,
}

impl Certificate {
    pub(super) fn new(
        serial: u8,
        names: (&str, &str),
        window: (u64, u64),
        signer: u8,
        key: u8,
    ) -> Self {
        Self {
            version: der::explicit(0, &der::tlv(der::INTEGER, &[2])),
            serial: der::tlv(der::INTEGER, &[serial]),
            inner_algorithm: algorithm(oids::ECDSA_WITH_SHA384),
            issuer: name(names.0),
            not_before: der::utc_time(window.0),
            not_after: der::utc_time(window.1),
            subject: name(names.1),
            key_info: p384_key_info(&public_key(key)),
            unique_ids: Vec::new(),
            extensions: Vec::new(),
            outer_algorithm: algorithm(oids::ECDSA_WITH_SHA384),
            signer: signing_key(signer),
            edit_signature: |signature| der::bit_string(0, &signature_der(&signature)),
            edit_der: |der| der,
        }
    }

    pub(super) fn authority(mut self, path_length: Option<u8>, usage: u8) -> Self {
        self.set_basic_constraints(true, path_length);
        self.set_key_usage(&[usage.trailing_zeros() as u8, usage]);
        self
    }

    pub(crate) fn set_basic_constraints(&mut self, authority: bool, path_length: Option<u8>) {
        let mut parts = Vec::new();
        if authority {
            parts.push(der::tlv(der::BOOLEAN, &[0xff]));
        }
        parts.extend(path_length.map(|length| der::tlv(der::INTEGER, &[length])));
        self.set_extension(oids::BASIC_CONSTRAINTS, true, der::sequence(&parts));
    }

    /// `content` is that of the BIT STRING: unused bits, then the bits.
    pub(crate) fn set_key_usage(&mut self, content: &[u8]) {
        self.set_extension(oids::KEY_USAGE, true, der::tlv(der::BIT_STRING, content));
    }

    pub(crate) fn set_extension(&mut self, id: &'static [u8], critical: bool, value: Vec<u8>) {
        self.remove_extension(id);
        self.extensions.push(Extension {
            id,
            critical,
            value,
        });
    }

    pub(crate) fn remove_extension(&mut self, id: &[u8]) {
        self.extensions.retain(|extension| extension.id != id);
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let extensions: Vec<_> = self.extensions.iter().map(encode_extension).collect();
        let extensions = match extensions.is_empty() {
            true => Vec::new(),
            false => der::explicit(3, &der::sequence(&extensions)),
        };
        let tbs = der::sequence(&[
            self.version.clone(),
            self.serial.clone(),
            self.inner_algorithm.clone(),
            self.issuer.clone(),
            der::sequence(&[self.not_before.clone(), self.not_after.clone()]),
            self.subject.clone(),
            self.key_info.clone(),
            self.unique_ids.clone(),
            extensions,
        ]);
        let signature = (self.edit_signature)(sign(&self.signer, &tbs));
        let der = der::sequence(&[tbs, self.outer_algorithm.clone(), signature]);
        (self.edit_der)(der)
    }
}

/// The entries of the payload, in order.
#[derive(Clone)]
pub(crate) struct Payload(pub(crate) Vec<(Cbor, Cbor)>);

impl Payload {
    pub(crate) fn set(&mut self, key: &str, value: Cbor) {
        *self.value(key) = value;
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.0.retain(|(found, _)| !is_text(found, key));
    }

    /// Adds an entry with the same key and value as an existing one.
    pub(crate) fn repeat(&mut self, key: &str) {
        let value = self.value(key).clone();
        self.0.push((Cbor::text(key), value));
    }

    pub(crate) fn value(&mut self, key: &str) -> &mut Cbor {
        self.0
            .iter_mut()
            .find_map(|(found, value)| is_text(found, key).then_some(value))
            .expect("the payload has this key")
    }

    pub(crate) fn pcrs(&mut self) -> &mut Vec<(Cbor, Cbor)> {
        match self.value("pcrs") {
            Cbor::Map(entries) => entries,
            other => panic!("not a map: {other:?}"),
        }
    }

    pub(crate) fn set_pcr(&mut self, index: usize, value: &[u8]) {
        self.pcrs()[index].1 = Cbor::bytes(value);
    }

    pub(crate) fn cabundle(&mut self) -> &mut Vec<Cbor> {
        match self.value("cabundle") {
            Cbor::Array(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }
}

/// A whole document before it is made. Changes happen in the order of the fields.
pub(crate) struct Recipe {
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) module_id: String,
    pub(crate) timestamp_ms: u64,
    /// How many registers there are, from PCR0 on.
    pub(crate) registers: u64,
    pub(crate) public_key: Option<Vec<u8>>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) nonce: Option<Vec<u8>>,
    pub(crate) edit_payload: fn(&mut Payload),
    /// Entries to sign in place of those that the fields above make.
    pub(crate) entries: Option<Payload>,
    /// Turns the payload's entries into its bytes.
    pub(crate) encode_payload: fn(Vec<(Cbor, Cbor)>) -> Vec<u8>,
    pub(crate) protected: Vec<u8>,
    pub(crate) signer: SigningKey,
    pub(crate) edit_signature: fn(Signature) -> Vec<u8>,
    /// Changes the four parts of the envelope after signing.
    pub(crate) edit_envelope: fn(&mut Vec<Cbor>),
    /// A last change to the finished document.
    pub(crate) edit_bytes: fn(Vec<u8>) -> Vec<u8>,
}

impl Recipe {
    pub(crate) fn new() -> Self {
        Self {
            certificates: chain(),
            module_id: MODULE_ID.to_owned(),
            timestamp_ms: TIMESTAMP_MS,
            registers: 16,
            public_key: Some(b"a public key".to_vec()),
            user_data: Some(b"user data".to_vec()),
            nonce: Some(NONCE.to_vec()),
            edit_payload: |_| {},
            entries: None,
            encode_payload: |entries| Cbor::Map(entries).encode(),
            protected: vec![0xa1, 0x01, 0x38, 0x22],
            signer: signing_key(5),
            edit_signature: |signature| signature.to_bytes().to_vec(),
            edit_envelope: |_| {},
            edit_bytes: |bytes| bytes,
        }
    }

    /// The trusted roots under which the unchanged document is accepted.
    pub(crate) fn anchors(&self) -> TrustAnchors {
        let mut anchors = TrustAnchors::empty();
        let root = self.certificates[ROOT].build();
        let anchor = TrustAnchor::from_der(Partition::Development, &root).expect("a root");
        anchors.insert(anchor).expect("the first root");
        anchors
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let payload = (self.encode_payload)(self.payload().0);
        let signed = Cbor::Array(vec![
            Cbor::text("Signature1"),
            Cbor::bytes(&self.protected),
            Cbor::Bytes(Vec::new()),
            Cbor::bytes(&payload),
        ]);
        let signature = (self.edit_signature)(sign(&self.signer, &signed.encode()));
        let mut envelope = vec![
            Cbor::bytes(&self.protected),
            Cbor::Map(Vec::new()),
            Cbor::Bytes(payload),
            Cbor::Bytes(signature),
        ];
        (self.edit_envelope)(&mut envelope);
        (self.edit_bytes)(Cbor::Array(envelope).encode())
    }

    /// The payload as it is encoded and signed.
    pub(crate) fn payload(&self) -> Payload {
        let entries = self.entries.clone();
        let mut payload = entries.unwrap_or_else(|| Payload(self.entries()));
        (self.edit_payload)(&mut payload);
        payload
    }

    fn entries(&self) -> Vec<(Cbor, Cbor)> {
        let instance = self.module_id.split("-enc").next().expect("a first part");
        let pcr = |index| match index {
            4 => extend_zero(instance),
            other => pcr(other),
        };
        let mut certificates: Vec<_> = self.certificates.iter().map(Certificate::build).collect();
        let leaf = certificates.pop().expect("a leaf");
        let pcrs =
            (0..self.registers).map(|index| (Cbor::Unsigned(index), Cbor::Bytes(pcr(index))));
        let entry = |key, value| (Cbor::text(key), value);
        vec![
            entry("module_id", Cbor::text(&self.module_id)),
            entry("digest", Cbor::text("SHA384")),
            entry("timestamp", Cbor::Unsigned(self.timestamp_ms)),
            entry("pcrs", Cbor::Map(pcrs.collect())),
            entry("certificate", Cbor::Bytes(leaf)),
            entry(
                "cabundle",
                Cbor::Array(certificates.into_iter().map(Cbor::Bytes).collect()),
            ),
            entry("public_key", optional(&self.public_key)),
            entry("user_data", optional(&self.user_data)),
            entry("nonce", optional(&self.nonce)),
        ]
    }
}

/// Signatures are deterministic, and most certificates are the same in every document: each is
/// signed once in a run.
fn sign(signer: &SigningKey, message: &[u8]) -> Signature {
    type Made = HashMap<[u8; 32], Signature>;
    static MADE: OnceLock<Mutex<Made>> = OnceLock::new();
    let made = MADE.get_or_init(Mutex::default);
    let key = Sha256::new()
        .chain_update(signer.to_bytes())
        .chain_update(message)
        .finalize()
        .into();
    if let Some(signature) = made.lock().expect("no panic inside").get(&key) {
        return *signature;
    }
    let signature = signer.sign(message);
    made.lock().expect("no panic inside").insert(key, signature);
    signature
}

fn optional(field: &Option<Vec<u8>>) -> Cbor {
    field.as_deref().map_or(Cbor::Null, Cbor::bytes)
}

/// The register values of a production enclave: measurements, instance, the rest zero.
pub(crate) fn pcr(index: u64) -> Vec<u8> {
    match index {
        0..=3 => vec![0x10 + index as u8; 48],
        4 => extend_zero(INSTANCE_ID),
        _ => vec![0; 48],
    }
}

/// SHA-384 of 48 zero bytes and a text.
pub(crate) fn extend_zero(text: &str) -> Vec<u8> {
    let mut input = vec![0; 48];
    input.extend(text.as_bytes());
    Sha384::digest(input).to_vec()
}

/// Key number `number`: 1 to 5 for the chain, others for strangers.
pub(crate) fn signing_key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 48]).expect("a small scalar")
}

pub(crate) fn public_key(number: u8) -> Vec<u8> {
    signing_key(number)
        .verifying_key()
        .to_sec1_point(false)
        .as_bytes()
        .to_vec()
}

pub(crate) fn p384_key_info(point: &[u8]) -> Vec<u8> {
    key_info(oids::SECP384R1, point)
}

pub(crate) fn key_info(curve: &[u8], point: &[u8]) -> Vec<u8> {
    let algorithm = der::sequence(&[der::oid(oids::EC_PUBLIC_KEY), der::oid(curve)]);
    der::sequence(&[algorithm, der::bit_string(0, point)])
}

pub(crate) fn algorithm(id: &[u8]) -> Vec<u8> {
    der::sequence(&[der::oid(id)])
}

/// A name of AWS's shape with this common name.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    name_of(&[
        (oids::COUNTRY, der::PRINTABLE_STRING, "US"),
        (oids::ORGANIZATION, der::UTF8_STRING, "Tests"),
        (oids::UNIT, der::UTF8_STRING, "Nitro"),
        (oids::COMMON_NAME, der::UTF8_STRING, common_name),
    ])
}

pub(crate) fn name_of(attributes: &[(&[u8], u8, &str)]) -> Vec<u8> {
    let parts: Vec<_> = attributes
        .iter()
        .map(|(id, tag, text)| {
            let value = der::tlv(*tag, text.as_bytes());
            der::tlv(der::SET, &der::sequence(&[der::oid(id), value]))
        })
        .collect();
    der::sequence(&parts)
}

pub(crate) fn signature_der(signature: &Signature) -> Vec<u8> {
    let raw = signature.to_bytes();
    der::sequence(&[der::unsigned(&raw[..48]), der::unsigned(&raw[48..])])
}

/// The same signature with the other of the two valid values of *s*.
pub(crate) fn other_s(signature: &Signature) -> Signature {
    let (r, s) = signature.split_scalars();
    Signature::from_scalars(r, -s).expect("a valid signature")
}

fn is_text(key: &Cbor, text: &str) -> bool {
    matches!(key, Cbor::Text(found) if found == text)
}

fn encode_extension(extension: &Extension) -> Vec<u8> {
    let mut parts = vec![der::oid(extension.id)];
    if extension.critical {
        parts.push(der::tlv(der::BOOLEAN, &[0xff]));
    }
    parts.push(der::tlv(der::OCTET_STRING, &extension.value));
    der::sequence(&parts)
}

/// Root, regional, zonal, instance and leaf, with AWS's windows, path lengths and usages.
fn chain() -> Vec<Certificate> {
    // digitalSignature, keyCertSign and cRLSign; keyCertSign alone.
    const AUTHORITY: u8 = 0x86;
    const CERT_SIGN: u8 = 0x04;
    let root = "development.nitro-enclaves";
    let regional = "0011223344556677.test-1.development.nitro-enclaves";
    let zonal = "8899aabbccddeeff.zonal.test-1.development.nitro-enclaves";
    let crl = || der::sequence(&[der::sequence(&[])]);

    let window = (NOW - 7 * YEAR, NOW + 22 * YEAR);
    let root_certificate =
        Certificate::new(1, (root, root), window, 1, 1).authority(None, AUTHORITY);
    let window = (NOW - 5 * DAY, NOW + 15 * DAY);
    let mut regional_certificate =
        Certificate::new(2, (root, regional), window, 1, 2).authority(Some(2), AUTHORITY);
    regional_certificate.set_extension(oids::CRL_POINTS, false, crl());
    let window = (NOW - DAY, NOW + 5 * DAY);
    let mut zonal_certificate =
        Certificate::new(3, (regional, zonal), window, 2, 3).authority(Some(1), AUTHORITY);
    zonal_certificate.set_extension(oids::CRL_POINTS, false, crl());
    let window = (NOW - HOUR, NOW + 23 * HOUR);
    let instance_certificate =
        Certificate::new(4, (zonal, INSTANCE_NAME), window, 3, 4).authority(Some(0), CERT_SIGN);
    let window = (NOW - 60, NOW + 3 * HOUR - 57);
    let mut leaf = Certificate::new(5, (INSTANCE_NAME, LEAF_NAME), window, 4, 5);
    leaf.set_basic_constraints(false, None);
    // digitalSignature and nonRepudiation, not critical.
    let usage = der::bit_string(6, &[0xc0]);
    leaf.set_extension(oids::KEY_USAGE, false, usage);
    vec![
        root_certificate,
        regional_certificate,
        zonal_certificate,
        instance_certificate,
        leaf,
    ]
}
