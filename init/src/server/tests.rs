use std::os::unix::net::UnixListener;

use super::*;

/// A port with connections that hold so many bytes of answers, and of requests, the first silent
/// for longest; and their other ends.
fn port(held: &[(usize, usize)]) -> (Port, Vec<UnixStream>) {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("port")).unwrap();
    let mut theirs = Vec::new();
    let began = Instant::now();
    let connections = (0..).zip(held).map(|(age, (outgoing, received))| {
        let (ours, other) = UnixStream::pair().unwrap();
        theirs.push(other);
        let mut connection = Connection::new(ours);
        connection.outgoing = vec![0; *outgoing];
        connection.received = *received;
        connection.last = began + Duration::from_millis(age);
        connection
    });
    let port = Port {
        lane: Lane::Operator,
        connections: connections.collect(),
        listener: listener.into(),
        turn: 0,
    };
    (port, theirs)
}

fn held(port: &Port) -> Vec<usize> {
    port.connections.iter().map(Connection::held).collect()
}

#[test]
fn answers_nobody_takes_are_bounded_together_fails_closed() {
    let (mut port, _theirs) = port(&[(40, 0), (0, 0), (30, 0), (0, 30), (20, 0)]);
    port.keep_within(120, 4);
    assert_eq!(held(&port), [40, 0, 30, 30, 20]);
    // The silent one that holds something goes, not the one that holds nothing.
    port.keep_within(119, 4);
    assert_eq!(held(&port), [0, 0, 30, 30, 20]);
    assert!(port.connections[0].is_done() && !port.connections[1].is_done());
    port.keep_within(49, 2);
    assert_eq!(held(&port), [0, 0, 30, 0, 0]);
    // What is being served is served, even where it alone is more.
    port.keep_within(1, 2);
    assert_eq!(held(&port), [0, 0, 30, 0, 0]);
}
