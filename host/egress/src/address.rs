//! Which addresses are of the public internet, and networks a person allows besides.
//!
//! The tables follow IANA's registries of special-purpose addresses (RFC 6890 and what was added
//! since). Of IPv6 only global unicast, 2000::/3, can be public, so a block that is assigned later is
//! refused until somebody looks at it. Addresses that carry an IPv4 address (mapped, NAT64, 6to4) are
//! as public as that one.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// IPv4 networks that are not of the public internet.
const SPECIAL_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // With 169.254.169.254, where an instance's metadata and credentials are.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, then reserved with the broadcast address.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks inside 2000::/3 that are not of the public internet.
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Translation of IPv4 by a NAT64 (RFC 6052): the last four bytes are the IPv4 address.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// 6to4 (RFC 3056): the four bytes after the prefix are the IPv4 address.
const SIX_TO_FOUR: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);
/// What may be public at all.
const GLOBAL_UNICAST: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Whether an address is of the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => public_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => public_v4(inner),
            None => {
                within_v6(address, GLOBAL_UNICAST)
                    && !SPECIAL_V6
                        .iter()
                        .any(|network| within_v6(address, *network))
            }
        },
    }
}

fn public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4
        .iter()
        .any(|network| within_v4(address, *network))
}

/// The IPv4 address that an IPv6 address stands for.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let [_, _, a, b, c, d, ..] = octets;
    let [.., e, f, g, h] = octets;
    if let Some(mapped) = address.to_ipv4_mapped() {
        Some(mapped)
    } else if within_v6(address, NAT64) {
        Some(Ipv4Addr::new(e, f, g, h))
    } else if within_v6(address, SIX_TO_FOUR) {
        Some(Ipv4Addr::new(a, b, c, d))
    } else {
        None
    }
}

fn within_v4(address: Ipv4Addr, (network, length): (Ipv4Addr, u8)) -> bool {
    let shift = 32_u32.saturating_sub(length.into());
    let part = |a: Ipv4Addr| a.to_bits().checked_shr(shift).unwrap_or(0);
    part(address) == part(network)
}

fn within_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u8)) -> bool {
    let shift = 128_u32.saturating_sub(length.into());
    let part = |a: Ipv6Addr| a.to_bits().checked_shr(shift).unwrap_or(0);
    part(address) == part(network)
}

/// A network that is allowed although it is not of the public internet: `ADDRESS/LENGTH`, no bit
/// set behind the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address, a slash and the number of its leading bits, such as 10.0.0.0/8")]
pub struct NetworkError;

impl Network {
    /// Whether an address is in it. An IPv6 address that carries an IPv4 address is in the networks
    /// of that one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let inner = match address {
            IpAddr::V6(address) => carried(address),
            IpAddr::V4(_) => None,
        };
        self.holds(address) || inner.is_some_and(|inner| self.holds(inner.into()))
    }

    fn holds(&self, address: IpAddr) -> bool {
        match (address, self.address) {
            (IpAddr::V4(address), IpAddr::V4(network)) => {
                within_v4(address, (network, self.length))
            }
            (IpAddr::V6(address), IpAddr::V6(network)) => {
                within_v6(address, (network, self.length))
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = text.split_once('/').ok_or(NetworkError)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let plain = length.bytes().all(|b| b.is_ascii_digit());
        let length: u8 = length.parse().map_err(|_| NetworkError)?;
        let bits = |bits: u32, zeros: u32| {
            u32::from(length) <= bits && zeros >= bits.saturating_sub(length.into())
        };
        let fits = match address {
            IpAddr::V4(a) => bits(32, a.to_bits().trailing_zeros()),
            IpAddr::V6(a) => bits(128, a.to_bits().trailing_zeros()),
        };
        if plain && fits {
            Ok(Self { address, length })
        } else {
            Err(NetworkError)
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_hosts_own_networks_fails_closed() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.0.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_public_internet_are_public() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2a00:1450:4001::200e",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn texts_that_are_no_network_fails_closed() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "/8",
            "::1/127",
            "::/129",
            "10.0.0.0/8/8",
            "a.example/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }

    #[test]
    fn a_network_holds_its_own_and_what_stands_for_them() {
        let network: Network = "10.1.0.0/16".parse().unwrap();
        for (address, inside) in [
            ("10.1.2.3", true),
            ("10.2.0.1", false),
            ("::ffff:10.1.0.1", true),
            ("64:ff9b::a01:1", true),
            ("64:ff9b::a02:1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(
                network.contains(address.parse().unwrap()),
                inside,
                "{address}"
            );
        }
        let all: Network = "::/0".parse().unwrap();
        assert!(all.contains("fe80::1".parse().unwrap()));
        assert!(!all.contains("10.1.0.1".parse().unwrap()));
    }

    proptest! {
        /// The standard library's own judgements never allow what we refuse them to.
        #[test]
        fn never_public_where_the_standard_library_knows_better(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!(special && is_public(address.into())));
        }

        #[test]
        fn never_public_in_version_6_either(bits in any::<u128>()) {
            let address = Ipv6Addr::from_bits(bits);
            let special = address.is_loopback() || address.is_unspecified()
                || address.is_multicast() || address.is_unique_local()
                || address.is_unicast_link_local();
            prop_assert!(!(special && is_public(address.into())));
        }

        #[test]
        fn a_network_is_read_from_its_own_text(bits in any::<u32>(), length in 0_u8..=32) {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            let address = Ipv4Addr::from_bits(bits & mask);
            let network: Network = format!("{address}/{length}").parse().unwrap();
            prop_assert_eq!(network.to_string().parse(), Ok(network));
            prop_assert!(network.contains(Ipv4Addr::from_bits(bits).into()));
        }
    }
}
