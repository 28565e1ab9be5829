//! Certificates of the tests' own: a root, and servers below it.

use std::str::FromStr as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use p384::SecretKey;
use p384::ecdsa::{DerSignature, SigningKey};
use p384::elliptic_curve::Generate as _;
use p384::pkcs8::EncodePrivateKey as _;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{DateTime, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use crate::common::rng;

const DAY: u64 = 86_400;

/// When a certificate is valid, in seconds from now.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    from: i64,
    to: i64,
}

pub(crate) const NOW: Window = Window {
    from: -3600,
    to: 86_400,
};
pub(crate) const OVER: Window = Window {
    from: -7200,
    to: -60,
};
pub(crate) const LATER: Window = Window {
    from: 3600,
    to: 86_400,
};

/// A root that signs certificates of servers.
pub(crate) struct Root {
    key: SigningKey,
    name: Name,
    pub(crate) der: Vec<u8>,
}

/// A certificate with its key, both in DER.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

struct Profile {
    issuer: Name,
    subject: Name,
    /// None for a root.
    host: Option<String>,
}

impl Root {
    pub(crate) fn new(name: &str) -> Self {
        let secret = SecretKey::generate_from_rng(&mut rng());
        let key = SigningKey::from(secret);
        let name = Name::from_str(&format!("CN={name}")).unwrap();
        let profile = Profile {
            issuer: name.clone(),
            subject: name.clone(),
            host: None,
        };
        let window = Window {
            from: -3600,
            to: (30 * DAY).cast_signed(),
        };
        let der = issue(profile, window, &key, &key);
        Self { key, name, der }
    }

    /// A certificate for a host.
    pub(crate) fn server(&self, host: &str, window: Window) -> Identity {
        let secret = SecretKey::generate_from_rng(&mut rng());
        let key = SigningKey::from(&secret);
        let profile = Profile {
            issuer: self.name.clone(),
            subject: Name::from_str("CN=server").unwrap(),
            host: Some(host.into()),
        };
        Identity {
            certificate: issue(profile, window, &key, &self.key),
            key: secret.to_pkcs8_der().unwrap().as_bytes().to_vec(),
        }
    }
}

fn issue(profile: Profile, window: Window, key: &SigningKey, signer: &SigningKey) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let time = |offset: i64| {
        let seconds = now.as_secs().checked_add_signed(offset).unwrap();
        Time::from(DateTime::from_unix_duration(Duration::from_secs(seconds)).unwrap())
    };
    let validity = Validity::new(time(window.from), time(window.to));
    let mut serial = [1; 8];
    getrandom::fill(&mut serial[1..]).unwrap();
    let public = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).unwrap();
    let serial = SerialNumber::new(&serial).unwrap();
    let builder = CertificateBuilder::new(profile, serial, validity, public).unwrap();
    let certificate = builder.build::<_, DerSignature>(signer).unwrap();
    certificate.to_der().unwrap()
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let constraints = BasicConstraints {
            ca: self.host.is_none(),
            path_len_constraint: None,
        };
        let mut extensions = vec![extension(&constraints)];
        match &self.host {
            None => extensions.push(extension(&KeyUsage(KeyUsages::KeyCertSign.into()))),
            Some(host) => {
                let host = GeneralName::DnsName(Ia5String::new(host)?);
                extensions.push(extension(&SubjectAltName(vec![host])));
            }
        }
        Ok(extensions)
    }
}

fn extension<E: AssociatedOid + Encode>(value: &E) -> Extension {
    Extension {
        extn_id: E::OID,
        critical: true,
        extn_value: OctetString::new(value.to_der().unwrap()).unwrap(),
    }
}
