//! The certificates of a document, from the pinned root to the leaf.
//!
//! There is no path building: the bundle's order is the path. Its first certificate selects a
//! pinned root by digest and the pinned one takes its place, so nothing in the bundle is ever
//! trusted. Every further certificate must be the subject of the one before it, which leaves no
//! room for an extra one.

use super::anchor::{Partition, TrustAnchor, TrustAnchors};
use super::attested::CertificateFacts;
use super::certificate::{Certificate, Link};
use super::document::Document;
use super::error::AttestationError;
use super::freshness::FreshnessUsed;
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
    pub(super) fn parse(
        document: &'a Document,
        anchors: &'a TrustAnchors,
    ) -> Result<Self, AttestationError> {
        let Some((root, others)) = document.cabundle().split_first() else {
            return Err(AttestationError::CabundleLength { found: 0 });
        };
        let anchor = anchors.select(root)?;
        let mut authorities = Vec::with_capacity(document.cabundle().len());
        authorities.push(Certificate::parse(anchor.der(), Link::Bundle { index: 0 })?);
        for (index, der) in (1..).zip(others) {
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

    /// What the chain says, from the root to the leaf.
    pub(super) fn facts(&self) -> Vec<CertificateFacts> {
        self.all().map(CertificateFacts::of).collect()
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
        used: &FreshnessUsed,
        timestamp_ms: u64,
    ) -> Result<(), AttestationError> {
        let (earliest, latest) = used.certificate_window();
        for certificate in self.all() {
            let link = certificate.link();
            if certificate.not_before() > latest {
                return Err(AttestationError::CertificateNotYetValid {
                    link,
                    not_before: certificate.not_before(),
                    at: used.at_unix(),
                });
            }
            if certificate.not_after() < earliest {
                return Err(AttestationError::CertificateExpired {
                    link,
                    not_after: certificate.not_after(),
                    at: used.at_unix(),
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

    /// Checks that each certificate is signed by the one before it.
    ///
    /// The root's signature over itself is not checked: it is trusted because it is pinned.
    pub(super) fn check_signatures(
        &self,
        verifier: &impl SignatureVerifier,
    ) -> Result<(), AttestationError> {
        for (issuer, subject) in self.pairs() {
            let link = subject.link();
            verifier
                .verify(issuer.public_key(), subject.tbs(), subject.signature())
                .map_err(|_| AttestationError::CertificateSignature { link })?;
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Certificate<'a>> {
        self.authorities.iter().chain([&self.leaf])
    }

    /// Each issuer with its subject, from the root downwards.
    fn pairs(&self) -> impl Iterator<Item = (&Certificate<'a>, &Certificate<'a>)> {
        self.all().zip(self.all().skip(1))
    }
}
