//! Connections of an application to the outside, by TLS that ends in the application's own process.
//!
//! ```no_run
//! use std::io::{Read as _, Write as _};
//!
//! let app = quorate_app::App::start()?;
//! let egress = quorate_egress::Egress::new(&app, quorate_egress::Roots::web())?;
//! let mut connection = egress.dial("api.example.com", 443)?;
//! connection.write_all(b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n")?;
//! let mut answer = Vec::new();
//! connection.read_to_end(&mut answer)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Guarantees: the peer has proved in TLS 1.3 that it holds the key of a certificate for the very name
//! that was dialled, which a root of the given [`Roots`] vouches for at the time of the enclave's own
//! security module. What is read was sent by that peer and is complete: a connection that is cut off
//! gives an error and no end of data. Making a connection, and each read and write, has a bound in
//! time.
//!
//! Trusts: those roots, and who controls the name in the eyes of those who issue under them. init,
//! which compares the destination with the manifest, and its clock. Not the host: it carries the bytes,
//! resolves the name and chooses the route, and all it can do is to carry nothing.
//!
//! **What a list of destinations is, and what it is not.** It limits where an application connects
//! that is honest, or confused. It does not stop one that leaks: what an application may not send to
//! another destination it can put into its answers, into the times of them, or into a request to a
//! destination it may connect to. The names and routes behind a destination are the host's claims.
//!
//! Does not: pin certificates, ask whether a certificate was revoked, present one of its own, resume
//! sessions, speak anything older than TLS 1.3.
//!
//! The roots of [`Roots::web`] are compiled in and so are part of the application's hash in the
//! manifest. They are Mozilla's, as packaged in the crate `webpki-roots`: a new set is a new version of
//! that crate, a new binary and a new manifest that people approve.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod connection;
mod error;
mod roots;
mod time;

use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_app::{App, Dialer};
use quorate_protocol::egress::Destination;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;

pub use connection::Connection;
pub use error::EgressError;
pub use roots::{BadRoot, MAX_ROOTS, Roots};

use crate::time::ModuleTime;

/// How long it may take to make a connection, TLS included, and how long each read and write may
/// take, unless said otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Makes connections to the destinations of the application's manifest entry. Clones are cheap.
#[derive(Clone)]
pub struct Egress {
    dialer: Dialer,
    config: Arc<ClientConfig>,
    timeout: Duration,
}

impl Egress {
    /// Trusts these roots, by the clock of this application.
    ///
    /// # Errors
    /// [`EgressError::Configuration`], which is a fault of the build.
    pub fn new(app: &App, roots: Roots) -> Result<Self, EgressError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let time = Arc::new(ModuleTime::new(app.clock()));
        let builder = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(EgressError::Configuration)?;
        let mut config = builder
            .with_root_certificates(roots.into_store())
            .with_no_client_auth();
        // A resumed session would go by a certificate that was checked some time ago.
        config.resumption = Resumption::disabled();
        Ok(Self {
            dialer: app.dialer(),
            config: Arc::new(config),
            timeout: TIMEOUT,
        })
    }

    /// The same with another time-out. Zero is one that has passed.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects and completes the handshake.
    ///
    /// # Errors
    /// [`EgressError`]; nothing that was sent or received is of any use then.
    pub fn dial(&self, host: &str, port: u16) -> Result<Connection, EgressError> {
        let destination = Destination::parse(&format!("{host}:{port}"));
        self.dial_to(&destination.map_err(EgressError::Destination)?)
    }

    /// As [`dial`](Self::dial).
    ///
    /// # Errors
    /// As [`dial`](Self::dial).
    pub fn dial_to(&self, destination: &Destination) -> Result<Connection, EgressError> {
        let deadline = Instant::now() + self.timeout;
        let name = ServerName::try_from(destination.host.as_str().to_owned())
            .map_err(|_| EgressError::Name)?;
        let stream = self.dialer.dial_before(destination, deadline)?;
        Connection::establish(
            Arc::clone(&self.config),
            name,
            stream,
            deadline,
            self.timeout,
        )
    }
}
