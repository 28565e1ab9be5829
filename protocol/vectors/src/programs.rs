//! The applications of the samples: `echo`, and `notary`, whose entry has something of everything.

use core::num::NonZeroU16;

use quorate_protocol::atoms::Sha256;
use quorate_protocol::egress::{Destination, Host};
use quorate_protocol::manifest::{Application, RestartPolicy};

use crate::world::{name, text};

pub(crate) fn echo() -> Application {
    Application {
        name: name("echo"),
        sha256: Sha256::of(b"the echo application"),
        size: 412_360,
        arguments: Vec::new(),
        environment: Vec::new(),
        ports: vec![5100],
        memory_limit: 64 << 20,
        restart: RestartPolicy {
            restarts: 0,
            first_back_off_ms: 1,
            largest_back_off_ms: 1,
            start_deadline_ms: 10_000,
        },
        calls: Vec::new(),
        shares: Vec::new(),
        egress: Vec::new(),
    }
}

pub(crate) fn destination(host: &str, port: u16) -> Destination {
    Destination {
        host: Host::new(host).expect("a name"),
        port: NonZeroU16::new(port).expect("a port"),
    }
}

pub(crate) fn notary() -> Application {
    Application {
        name: name("notary"),
        sha256: Sha256::of(b"the notary application"),
        size: 1_048_576,
        arguments: vec![text("--log"), text("grün und größer")],
        environment: vec![text("LANG=C.UTF-8"), text("MODE=a=b")],
        ports: vec![5101, 70_000],
        memory_limit: 1 << 30,
        restart: RestartPolicy {
            restarts: 300,
            first_back_off_ms: 10,
            largest_back_off_ms: 600_000,
            start_deadline_ms: 600_000,
        },
        calls: vec![name("echo")],
        shares: vec![name("echo")],
        egress: vec![
            destination("api.example.com", 443),
            destination("api.example.com", 8443),
        ],
    }
}
