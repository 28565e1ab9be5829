//! Whom an application believes about names.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// Roots an application brings, at most.
pub const MAX_ROOTS: usize = 64;

/// A root that cannot be used. Whoever made the application is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRoot {
    /// It is no certificate, or one with a constraint that is not understood.
    #[error(
        "root {at} is not a usable X.509 certificate in DER; build the application with another"
    )]
    Certificate {
        /// Which, from 0.
        at: usize,
    },
    /// There are none, or too many.
    #[error("{found} roots were given, 1 to {MAX_ROOTS} are accepted")]
    Count {
        /// How many.
        found: usize,
    },
}

/// Certificates that vouch for others.
#[derive(Clone, Debug)]
pub struct Roots(RootCertStore);

impl Roots {
    /// Those that browsers trust, as Mozilla decides: part of the application's binary.
    #[must_use]
    pub fn web() -> Self {
        Self(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        })
    }

    /// The application's own, in DER.
    ///
    /// # Errors
    /// [`BadRoot`]: all are taken or none.
    pub fn of<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, BadRoot> {
        let mut store = RootCertStore::empty();
        for (at, der) in certificates.into_iter().enumerate() {
            if at >= MAX_ROOTS {
                let found = at.saturating_add(1);
                return Err(BadRoot::Count { found });
            }
            let added = store.add(CertificateDer::from_slice(der).into_owned());
            added.map_err(|_| BadRoot::Certificate { at })?;
        }
        if store.is_empty() {
            return Err(BadRoot::Count { found: 0 });
        }
        Ok(Self(store))
    }

    pub(crate) fn into_store(self) -> RootCertStore {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roots_of_the_web_are_there() {
        assert!(Roots::web().into_store().len() > 100);
    }

    #[test]
    fn roots_that_are_none_fails_closed() {
        let of = |roots: &[&[u8]]| Roots::of(roots.iter().copied()).map(|_| ()).err();
        assert_eq!(of(&[]), Some(BadRoot::Count { found: 0 }));
        assert_eq!(of(&[b"text"]), Some(BadRoot::Certificate { at: 0 }));
    }
}
