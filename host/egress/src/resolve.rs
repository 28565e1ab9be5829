//! From a name to addresses that may be connected to.
//!
//! Guarantees: an address that comes out is public or in a network that was allowed; the caller
//! connects to that address and asks no resolver again, so an answer that changes changes nothing.
//!
//! Trusts: the host's resolver. How long it takes is set in the host's resolv.conf.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use quorate_protocol::egress::{Destination, EgressReason, Host};

use crate::address::{Network, is_public};

/// Addresses of one name that are tried, at most.
pub const MAX_ADDRESSES: usize = 4;

/// Finds addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    allowed: Vec<Network>,
    fixed: Vec<(Host, IpAddr)>,
}

impl Resolver {
    /// The host's resolver, with networks that are allowed although they are not public, and names
    /// whose address is given and not asked for.
    #[must_use]
    pub const fn new(allowed: Vec<Network>, fixed: Vec<(Host, IpAddr)>) -> Self {
        Self { allowed, fixed }
    }

    /// The addresses of a destination, at most [`MAX_ADDRESSES`].
    ///
    /// # Errors
    /// [`EgressReason::Unresolved`], [`EgressReason::AddressForbidden`].
    pub fn resolve(&self, destination: &Destination) -> Result<Vec<SocketAddr>, EgressReason> {
        let port = destination.port.get();
        let fixed = self.fixed.iter();
        let fixed = fixed.filter(|(host, _)| *host == destination.host);
        let mut found: Vec<_> = fixed.map(|(_, ip)| SocketAddr::new(*ip, port)).collect();
        if found.is_empty() {
            let asked = (destination.host.as_str(), port).to_socket_addrs();
            found.extend(asked.map_err(|_| EgressReason::Unresolved)?);
        }
        if found.is_empty() {
            return Err(EgressReason::Unresolved);
        }
        found.retain(|address| self.allows(address.ip()));
        found.truncate(MAX_ADDRESSES);
        if found.is_empty() {
            return Err(EgressReason::AddressForbidden);
        }
        Ok(found)
    }

    fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> Destination {
        Destination::parse("api.example:443").unwrap()
    }

    fn fixed(addresses: &[&str]) -> Vec<(Host, IpAddr)> {
        let host = Host::new("api.example").unwrap();
        let addresses = addresses.iter();
        addresses
            .map(|a| (host.clone(), a.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_name_that_leads_into_the_hosts_network_fails_closed() {
        for address in [
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.1",
            "::1",
            "fd00:ec2::254",
        ] {
            let resolver = Resolver::new(Vec::new(), fixed(&[address]));
            let refused = resolver.resolve(&destination());
            assert_eq!(refused, Err(EgressReason::AddressForbidden), "{address}");
        }
        // Beside a public one, only that one is left.
        let resolver = Resolver::new(Vec::new(), fixed(&["169.254.169.254", "8.8.8.8"]));
        let found = resolver.resolve(&destination());
        assert_eq!(found, Ok(vec!["8.8.8.8:443".parse().unwrap()]));
    }

    /// The resolver of the machine itself answers with a loopback address.
    #[test]
    fn localhost_fails_closed() {
        let localhost = Destination::parse("localhost:443").unwrap();
        let refused = Resolver::default().resolve(&localhost);
        assert_eq!(refused, Err(EgressReason::AddressForbidden));
    }

    #[test]
    fn a_network_that_was_allowed_is_connected_to() {
        let network = "169.254.169.0/24".parse().unwrap();
        let resolver = Resolver::new(vec![network], fixed(&["169.254.169.254", "127.0.0.1"]));
        let found = resolver.resolve(&destination());
        assert_eq!(found, Ok(vec!["169.254.169.254:443".parse().unwrap()]));
    }

    #[test]
    fn no_more_addresses_are_tried_than_the_bound() {
        let many: Vec<String> = (1..20).map(|n| format!("8.8.8.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let resolver = Resolver::new(Vec::new(), fixed(&many));
        let found = resolver.resolve(&destination()).map(|found| found.len());
        assert_eq!(found, Ok(MAX_ADDRESSES));
    }
}
