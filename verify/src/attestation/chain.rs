//! The certificates of a document, from the pinned root to the leaf.
//!
//! There is no path building: the bundle's order is the path. Its first certificate selects a
//! pinned root by digest and the pinned one takes its place, so nothing in the bundle is ever
//! trusted. Every further certificate must be the subject of the one before it, which leaves no
//! room for an extra one.

use super::anchor::{Partition, TrustAnchor, TrustAnchors};
use super::cache::{ChainBytes, ChainCache};
use super::certificate::{Certificate, Link};
use super::document::Document;
use super::error::AttestationError;
use super::freshness::Moment;
use super::signature::SignatureVerifier;

/// Largest number of certificates in the bundle. Genuine bundles have four.
pub const MAX_BUNDLE_CERTIFICATES: usize = 8;

/// A document's certificates, parsed and in order. Each check returns the first fault.
pub(super) struct Chain<'a> {
    anchor: &'a TrustAnchor,
    /// The root and the other authorities.
    authorities: Vec<Certificate<'a>>,
    leaf: Certificate<'a>,
}

impl<'a> Chain<'a> {
    /// The pinned root that the bundle begins with a copy of.
    pub(super) fn anchor(
        document: &Document,
        anchors: &'a TrustAnchors,
    ) -> Result<&'a TrustAnchor, AttestationError> {
        match document.cabundle().first() {
            Some(root) => anchors.select(root),
            None => Err(AttestationError::CabundleLength { found: 0 }),
        }
    }

    /// Reads the certificates, the pinned root in the place of the bundle's.
    pub(super) fn parse(
        document: &'a Document,
        anchor: &'a TrustAnchor,
    ) -> Result<Self, AttestationError> {
        let mut authorities = Vec::with_capacity(document.cabundle().len());
        authorities.push(Certificate::parse(anchor.der(), Link::Bundle { index: 0 })?);
        for (index, der) in (0..).zip(document.cabundle()).skip(1) {
            authorities.push(Certificate::parse(der, Link::Bundle { index })?);
        }
        let leaf = Certificate::parse(document.certificate(), Link::Leaf)?;
        Ok(Self {
            anchor,
            authorities,
            leaf,
        })
    }

    pub(super) fn leaf(&self) -> &Certificate<'a> {
        &self.leaf
    }

    /// The authority that issued the leaf.
    pub(super) fn leaf_issuer(&self) -> Option<&Certificate<'a>> {
        self.authorities.last()
    }

    pub(super) fn partition(&self) -> Partition {
        self.anchor.partition()
    }

    pub(super) fn root_fingerprint(&self) -> [u8; 32] {
        *self.anchor.fingerprint()
    }

    /// Checks that each certificate may do what it does here and names its issuer.
    pub(super) fn check_profile(&self) -> Result<(), AttestationError> {
        for (below, authority) in self.authorities.iter().rev().enumerate() {
            authority.check_authority(below)?;
        }
        self.leaf.check_leaf()?;
        for (issuer, subject) in self.pairs() {
            if issuer.subject() != subject.issuer() {
                let link = subject.link();
                return Err(AttestationError::IssuerMismatch { link });
            }
        }
        Ok(())
    }

    /// Checks every certificate's window at the verification time, and that the document was
    /// signed within that of the leaf.
    pub(super) fn check_validity(
        &self,
        moment: &Moment,
        timestamp_ms: u64,
    ) -> Result<(), AttestationError> {
        for certificate in self.all() {
            let link = certificate.link();
            if certificate.not_before() > moment.latest() {
                return Err(AttestationError::CertificateNotYetValid {
                    link,
                    not_before: certificate.not_before(),
                    at: moment.at,
                });
            }
            if certificate.not_after() < moment.earliest() {
                return Err(AttestationError::CertificateExpired {
                    link,
                    not_after: certificate.not_after(),
                    at: moment.at,
                });
            }
        }
        let (not_before, not_after) = (self.leaf.not_before(), self.leaf.not_after());
        if (not_before..=not_after).contains(&(timestamp_ms / 1000)) {
            Ok(())
        } else {
            Err(AttestationError::TimestampOutsideLeaf {
                timestamp_ms,
                not_before,
                not_after,
            })
        }
    }

    /// Checks that each certificate is signed by the one before it, unless `cache` knows that of
    /// exactly these bytes.
    ///
    /// The root's signature over itself is not checked: it is trusted because it is pinned.
    pub(super) fn check_signatures(
        &self,
        provider: &impl SignatureVerifier,
        cache: Option<&ChainCache>,
    ) -> Result<(), AttestationError> {
        let Some(cache) = cache else {
            return self.check_each_signature(provider);
        };
        let bytes = ChainBytes::of(self.all().map(Certificate::der));
        if !cache.contains(&bytes) {
            self.check_each_signature(provider)?;
            cache.insert(bytes);
        }
        Ok(())
    }

    fn check_each_signature(
        &self,
        provider: &impl SignatureVerifier,
    ) -> Result<(), AttestationError> {
        for (issuer, subject) in self.pairs() {
            let link = subject.link();
            provider
                .verify(issuer.public_key(), subject.tbs(), subject.signature())
                .map_err(|_| AttestationError::CertificateSignature { link })?;
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Certificate<'a>> + Clone {
        self.authorities.iter().chain([&self.leaf])
    }

    /// Each issuer with its subject, from the root downwards.
    fn pairs(&self) -> impl Iterator<Item = (&Certificate<'a>, &Certificate<'a>)> {
        self.all().zip(self.all().skip(1))
    }
}
