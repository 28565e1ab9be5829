//! Why there is no connection.

use quorate_app::DialError;
use quorate_protocol::invalid::Invalid;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The configuration of TLS is not possible. The build is at fault.
    #[error("TLS cannot be configured: {0}; this is a fault of the build")]
    Configuration(rustls::Error),
    /// The destination is not the name of a host and a port. The application is at fault.
    #[error("{0}; dial a DNS name")]
    Destination(Invalid),
    /// There is no way to the destination.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection ended during the handshake.
    #[error("the connection ended before TLS was agreed on; look at the destination")]
    Ended,
    /// The name cannot be a name in a certificate.
    #[error("the name of the host cannot be in a certificate; dial another")]
    Name,
    /// TLS was not agreed on, or the certificate is not good: not for this name, not now, not by a
    /// root that is trusted. Whoever answered is at fault, who may be the host.
    #[error("whoever answered is not the destination, or not by these roots and this time: {0}")]
    Tls(rustls::Error),
    /// The handshake took too long.
    #[error("TLS was not agreed on in time; look at the destination and the parent's proxy")]
    TimedOut,
}
