//! Rules of destinations, each broken alone.

use core::num::NonZeroU16;

use quorate_protocol::control::ToInit;
use quorate_protocol::egress::{Destination, EgressRequest, Host, MAX_DESTINATIONS};
use quorate_protocol::invalid::Invalid;
use quorate_protocol::manifest::ManifestFields;
use quorate_vectors::tree::Item;

use super::{broken, manifest, refused};

fn destination(host: &str, port: u16) -> Destination {
    Destination {
        host: Host::new(host).expect("a name"),
        port: NonZeroU16::new(port).expect("a port"),
    }
}

fn listing(list: Vec<Destination>) -> impl FnOnce(&mut ManifestFields) {
    move |fields| fields.applications[0].egress = list
}

/// Addresses in every notation a resolver takes, wildcards, and what is no name.
const NO_HOSTS: [&str; 32] = [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "192.0.2.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "127.0.0.0x1",
    "1.2.3.0xff",
    "017700000001",
    "::1",
    "[::1]",
    "2001:db8::1",
    "*",
    "*.example.com",
    "API.example.com",
    "api.example.coM",
    "-api.example.com",
    "api-.example.com",
    "api.example.com-",
    "api.example.-com",
    "api_v1.example.com",
    "api.example.com:443",
    "api example.com",
    "user@example.com",
    "b\u{fc}cher.example",
    "api.example.com\0",
    "example.com/path",
    "example.123",
    "example.1com",
];

#[test]
fn a_host_that_is_no_dns_name_fails_closed() {
    for host in NO_HOSTS {
        assert_eq!(Host::new(host), Err(Invalid::Host), "{host}");
        let item = Item::Array(vec![
            Item::Unsigned(1),
            Item::Map(vec![
                (Item::Unsigned(0), Item::Text(host.into())),
                (Item::Unsigned(1), Item::Unsigned(443)),
            ]),
        ]);
        refused::<EgressRequest>(&item.write(), &Invalid::Host);
        let dial = Item::Array(vec![
            Item::Unsigned(6),
            Item::Map(vec![
                (Item::Unsigned(0), Item::Unsigned(1)),
                (
                    Item::Unsigned(1),
                    Item::Map(vec![
                        (Item::Unsigned(0), Item::Text(host.into())),
                        (Item::Unsigned(1), Item::Unsigned(443)),
                    ]),
                ),
            ]),
        ]);
        refused::<ToInit>(&dial.write(), &Invalid::Host);
    }
}

#[test]
fn the_longest_label_and_name_are_accepted_and_one_more_fails_closed() {
    let label = "a".repeat(63);
    let longest = [label.as_str(), &label, &label, &label[..61]].join(".");
    assert_eq!(longest.len(), 253);
    assert!(Host::new(&longest).is_ok());
    assert_eq!(Host::new(&format!("{longest}a")), Err(Invalid::Host));
    assert!(Host::new(&format!("{label}.com")).is_ok());
    assert_eq!(Host::new(&format!("a{label}.com")), Err(Invalid::Host));
    for host in [
        "a",
        "localhost",
        "1.example.com",
        "xn--bcher-kva.example",
        "a-b.c-d",
    ] {
        assert!(Host::new(host).is_ok(), "{host}");
    }
}

#[test]
fn destinations_out_of_order_or_repeated_fails_closed() {
    let (one, other) = (
        destination("a.example", 443),
        destination("a.example", 8443),
    );
    for wrong in [
        vec![other, one.clone()],
        vec![one.clone(), one.clone()],
        vec![destination("b.example", 1), one],
    ] {
        broken(
            manifest(),
            listing(wrong),
            &Invalid::DestinationsNotAscending,
        );
    }
}

#[test]
fn more_destinations_than_allowed_fails_closed() {
    let all: Vec<_> = (1..=65)
        .map(|port| destination("a.example", port))
        .collect();
    let mut fields = manifest().into_inner();
    listing(all[..MAX_DESTINATIONS].to_vec())(&mut fields);
    assert!(quorate_protocol::cbor::Checked::new(fields).is_ok());
    let rule = Invalid::ListLength {
        min: 0,
        max: MAX_DESTINATIONS,
        found: 65,
    };
    broken(manifest(), listing(all), &rule);
}

#[test]
fn a_destination_is_read_from_its_one_text() {
    let read = Destination::parse("api.example.com:443");
    assert_eq!(read, Ok(destination("api.example.com", 443)));
    assert_eq!(
        read.map(|d| d.to_string()).as_deref(),
        Ok("api.example.com:443")
    );
    for text in [
        "a.example",
        "a.example:",
        "a.example:0",
        "a.example:0443",
        "a.example:65536",
        "a.example:+1",
        "a.example: 1",
        "a.example:https",
    ] {
        assert_eq!(
            Destination::parse(text),
            Err(Invalid::Destination),
            "{text}"
        );
    }
    for text in [
        ":443",
        "192.0.2.1:443",
        "[::1]:443",
        "*.example:443",
        "a:b:443",
    ] {
        assert_eq!(Destination::parse(text), Err(Invalid::Host), "{text}");
    }
}
