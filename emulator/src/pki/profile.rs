//! The five kinds of certificate: names, lifetimes, serial numbers and extensions.
//!
//! Everything here was read off genuine certificates of 2024 to 2026: the order of the name
//! parts (it differs from level to level), which extensions there are, in which order and which
//! of them are critical, and how far back a certificate is dated. What differs on purpose are the
//! values of the names: they say "Quorate development", the country is `ZZ` (ISO 3166 leaves it
//! to users), and the revocation lists are at a host under `.invalid` (RFC 2606).

use std::str::FromStr;

use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{self, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, KeyUsage, KeyUsages,
    SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::identity::ModuleId;

/// The region in the names of certificates.
pub const REGION: &str = "local-1";

/// The partition in the names of certificates, where genuine ones have `aws`.
pub const PARTITION: &str = "quorate-dev";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Where a certificate stands in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// The root of the partition.
    Root,
    /// Below the root, one for each region.
    Regional,
    /// Below the regional one, one for each zone.
    Zonal,
    /// Below the zonal one, one for each instance.
    Instance,
    /// The end of the chain, one for each enclave.
    Leaf,
}

/// How long a certificate lives. All numbers are seconds.
pub(super) struct Lifetime {
    /// How far before its issue it begins.
    pub(super) backdated: u64,
    /// How long after its issue it ends.
    pub(super) remaining: u64,
    /// It is replaced when less than this is left. A CA is replaced while it can still cover the
    /// whole life of what it issues.
    pub(super) margin: u64,
}

impl Level {
    pub(super) fn lifetime(self) -> Lifetime {
        let (backdated, remaining, margin) = match self {
            // Thirty years as AWS counts them: to the same day and hour.
            Self::Root => (HOUR, 30 * 365 * DAY + 7 * DAY, 21 * DAY),
            Self::Regional => (HOUR, 20 * DAY, 7 * DAY),
            Self::Zonal => (HOUR, 6 * DAY, 2 * DAY),
            // A minute back, so that the leaf begins inside it.
            Self::Instance => (MINUTE, DAY - MINUTE, 4 * HOUR),
            Self::Leaf => (3, 3 * HOUR, 5 * MINUTE),
        };
        Lifetime {
            backdated,
            remaining,
            margin,
        }
    }

    /// The bytes of a serial number before the caller fills in `random`.
    pub(super) fn serial(
        self,
        random: [u8; 20],
        module: Option<&ModuleId>,
        issued: u32,
    ) -> Vec<u8> {
        let len = match (self, module) {
            // The enclave's number, four zero bytes, the second of issue.
            (Self::Leaf, Some(module)) => {
                let mut serial = module.enclave().to_be_bytes().to_vec();
                serial.extend_from_slice(&[0; 4]);
                serial.extend_from_slice(&issued.to_be_bytes());
                return serial;
            }
            (Self::Instance, _) => 20,
            _ => 16,
        };
        let mut serial: Vec<u8> = random.into_iter().take(len).collect();
        // Positive and of fixed length: top bit clear, the next one set.
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x3F | 0x40;
        }
        serial
    }

    /// The name of a certificate of this level. `label` is 16 random hexadecimal digits.
    pub(super) fn subject(self, module: Option<&ModuleId>, label: u64) -> der::Result<Name> {
        // RFC 4514 writes the parts from last to first.
        let text = match (self, module) {
            (Self::Regional, _) => format!(
                "CN={label:016x}.{REGION}.{PARTITION}.nitro-enclaves,\
                 OU=Not AWS,O=Quorate development,C=ZZ"
            ),
            (Self::Zonal, _) => format!(
                "L=Local,ST=Local,C=ZZ,O=Quorate development,OU=Not AWS,\
                 CN={label:016x}.zonal.{REGION}.{PARTITION}.nitro-enclaves"
            ),
            (Self::Instance, Some(module)) => format!(
                "CN={}.{REGION}.{PARTITION}.nitro-enclaves,\
                 OU=Not AWS,O=Quorate development,L=Local,ST=Local,C=ZZ",
                module.instance()
            ),
            (Self::Leaf, Some(module)) => format!(
                "CN={module}.{REGION}.{PARTITION},\
                 OU=Not AWS,O=Quorate development,L=Local,ST=Local,C=ZZ"
            ),
            (Self::Root, _) | (Self::Instance | Self::Leaf, None) => {
                format!("CN={PARTITION}.nitro-enclaves,OU=Not AWS,O=Quorate development,C=ZZ")
            }
        };
        Name::from_str(&text)
    }
}

/// What the certificate builder asks for.
pub(super) struct Profile {
    pub(super) level: Level,
    pub(super) issuer: Name,
    pub(super) subject: Name,
    /// Names the revocation list of the issuer, for the levels that have one.
    pub(super) list: u128,
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
        key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        use KeyUsages::{CRLSign, DigitalSignature, KeyCertSign, NonRepudiation};
        let constraints = |path_len| BasicConstraints {
            ca: true,
            path_len_constraint: path_len,
        };
        let authority = critical(&KeyUsage(DigitalSignature | KeyCertSign | CRLSign))?;
        let own_id = |key| plain(&SubjectKeyIdentifier::try_from(key)?);
        let issuer_id = |key| plain(&AuthorityKeyIdentifier::try_from(key)?);
        Ok(match self.level {
            Level::Root => {
                vec![critical(&constraints(None))?, own_id(key)?, authority]
            }
            Level::Regional | Level::Zonal => {
                let depth = if self.level == Level::Regional { 2 } else { 1 };
                vec![
                    critical(&constraints(Some(depth)))?,
                    issuer_id(issuer_key)?,
                    own_id(key)?,
                    authority,
                    plain(&self.distribution_points()?)?,
                ]
            }
            Level::Instance => vec![
                critical(&constraints(Some(0)))?,
                critical(&KeyUsage(KeyCertSign.into()))?,
                own_id(key)?,
                issuer_id(issuer_key)?,
            ],
            Level::Leaf => vec![
                critical(&BasicConstraints {
                    ca: false,
                    path_len_constraint: None,
                })?,
                plain(&KeyUsage(DigitalSignature | NonRepudiation))?,
            ],
        })
    }
}

impl Profile {
    fn distribution_points(&self) -> der::Result<CrlDistributionPoints> {
        let list = self.list;
        let url = format!("http://crl.{REGION}.{PARTITION}.invalid/crl/{list:032x}.crl");
        let name = GeneralName::UniformResourceIdentifier(Ia5String::new(&url)?);
        Ok(CrlDistributionPoints(vec![DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![name])),
            reasons: None,
            crl_issuer: None,
        }]))
    }
}

fn critical<E: AssociatedOid + Encode>(value: &E) -> der::Result<Extension> {
    Ok(Extension {
        critical: true,
        ..plain(value)?
    })
}

fn plain<E: AssociatedOid + Encode>(value: &E) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: E::OID,
        critical: false,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}
