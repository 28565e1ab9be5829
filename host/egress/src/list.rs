//! Which destinations a proxy connects to.

use std::collections::BTreeSet;

use quorate_protocol::egress::Destination;
use quorate_protocol::manifest::ManifestFields;

/// Destinations. Empty means: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(BTreeSet<Destination>);

impl AllowList {
    /// Everything that any application of a manifest may connect to. Which of them asks, the proxy
    /// cannot know; init has compared that.
    #[must_use]
    pub fn of_manifest(manifest: &ManifestFields) -> Self {
        let applications = manifest.applications.iter();
        applications.flat_map(|a| a.egress.clone()).collect()
    }

    /// The destinations, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Destination> {
        self.0.iter()
    }

    /// Adds those of another list.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The destination, if it is listed.
    #[must_use]
    pub fn find(&self, destination: &Destination) -> Option<&Destination> {
        self.0.get(destination)
    }
}

impl FromIterator<Destination> for AllowList {
    fn from_iter<I: IntoIterator<Item = Destination>>(destinations: I) -> Self {
        Self(destinations.into_iter().collect())
    }
}
