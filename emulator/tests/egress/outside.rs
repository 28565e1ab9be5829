//! What is outside of the enclave: servers that speak TLS, and proxies, good ones and others.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use quorate_egress_proxy::{AllowList, IDLE, Listener, Proxy, Resolver, Settings};
use quorate_protocol::egress::{Destination, Host};
use quorate_protocol::ports;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Identity;

/// How a server ends a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As TLS wants it.
    Orderly,
    /// In the middle.
    Cut,
}

/// A server on this machine that answers every request with this body; its port.
pub(crate) fn server(identity: &Identity, body: Vec<u8>, end: End) -> u16 {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
    let chain = vec![CertificateDer::from(identity.certificate.clone())];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A client that does not like the certificate goes away.
            let _ = answer(StreamOwned::new(tls, stream.unwrap()), &body, end);
        }
    });
    port
}

fn answer<S>(
    mut stream: StreamOwned<ServerConnection, S>,
    body: &[u8],
    end: End,
) -> std::io::Result<()>
where
    S: std::io::Read + std::io::Write,
{
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    if end == End::Orderly {
        stream.conn.send_close_notify();
    }
    stream.flush()
}

/// Where an enclave in this folder connects to.
pub(crate) fn egress_socket(directory: &Path) -> std::path::PathBuf {
    directory.join(format!("parent-{}.sock", ports::EGRESS))
}

/// The real proxy for an enclave, which knows these hosts to be on this machine.
pub(crate) fn proxy(directory: &Path, list: &[Destination], allow: &[&str]) {
    let hosts = ["api.example", "other.example"];
    let fixed = hosts.map(|host| (Host::new(host).unwrap(), [127, 0, 0, 1].into()));
    let allowed = allow.iter().map(|network| network.parse().unwrap());
    let settings = Settings {
        list: list.iter().cloned().collect::<AllowList>(),
        resolver: Resolver::new(allowed.collect(), fixed.into()),
        connections: 16,
        idle: IDLE,
    };
    let listener = Listener::unix(&egress_socket(directory)).unwrap();
    let proxy = Proxy::new(settings, |_| {});
    thread::spawn(move || proxy.serve(&listener));
}

/// A parent that does as it likes with each connection.
pub(crate) fn parent(directory: &Path, serve: impl Fn(UnixStream) + Send + Sync + 'static) {
    let listener = UnixListener::bind(egress_socket(directory)).unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
}
