//! The parent's side of egress: a proxy that connects enclaves to listed destinations.
//!
//! init connects to it for an application and names a destination ([`quorate_protocol::egress`]);
//! the proxy looks the destination up in its own list, resolves the name, refuses addresses of the
//! host's own networks, connects, and carries bytes both ways.
//!
//! Guarantees: a connection goes to a listed name and port, at an address that was checked and is the
//! one that is connected to. Addresses that are not of the public internet (loopback, link-local with
//! the instance's metadata service, private and reserved networks) are refused unless the person who
//! runs it has allowed that network. Every size, count and wait has a bound. What an enclave sends
//! cannot put anything into the log but a listed name and numbers.
//!
//! Trusts: the host's resolver and routes; whoever may connect to its port. It is a guard for honest
//! hosts with confused or taken-over enclaves. It gives an enclave nothing: a hostile host runs
//! another program in its place, which is why TLS ends inside the enclave.
//!
//! Does not: look into what it carries, authenticate enclaves, follow names to other ports.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod address;
mod error;
mod list;
mod listen;
mod proxy;
mod record;
mod relay;
mod resolve;
mod sys;

pub use address::{Network, NetworkError, is_public};
pub use error::ProxyError;
pub use list::AllowList;
pub use listen::Listener;
pub use proxy::{CONNECT, DEFAULT_CONNECTIONS, IDLE, MAX_CONNECTIONS, Proxy, REQUEST, Settings};
pub use record::{Outcome, Record};
pub use resolve::{MAX_ADDRESSES, Resolver};
