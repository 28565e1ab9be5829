//! Applications of several kinds in real processes: calls, restarts, reports, misconduct.
//!
//! Each is `quorate-test-application`, told by its manifest entry's arguments and over its port
//! what to do. What a test shows is what an application could do to the others: nothing.

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod misconduct;
mod runtime;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use common::{Instance, World};
use quorate_protocol::atoms::{Name, Text};
use quorate_protocol::manifest::Application;
use quorate_protocol::message::{ApplicationStatus, Phase, Status};

/// The puppet's binary, read once.
static PUPPET: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(env!("CARGO_BIN_EXE_quorate-test-application")).unwrap());

/// The manifest entry of a puppet.
struct Puppet(Application);

fn puppet(name: &str, port: u32) -> Puppet {
    let mut application = common::application(name, &PUPPET);
    application.ports = vec![port];
    application.arguments = vec![Text::new(&format!("port={port}")).unwrap()];
    application.memory_limit = 1 << 30;
    application.restart.restarts = 20;
    Puppet(application)
}

impl Puppet {
    fn calls(mut self, callees: &[&str]) -> Self {
        self.0.calls = callees.iter().map(|n| Name::new(n).unwrap()).collect();
        self
    }

    fn shares(mut self, readers: &[&str]) -> Self {
        self.0.shares = readers.iter().map(|n| Name::new(n).unwrap()).collect();
        self
    }

    /// With a port, the first edge is descriptor 7.
    fn misbehaves(mut self, what: &str) -> Self {
        for argument in [format!("misbehave={what}"), "edge=7".into()] {
            self.0.arguments.push(Text::new(&argument).unwrap());
        }
        self
    }
}

/// An instance that runs these puppets, and the world it lives in.
struct Stage {
    instance: Instance,
    world: World,
}

impl Stage {
    /// Shares given; what runs then is the test's matter.
    fn launching(puppets: Vec<Puppet>) -> Self {
        let mut world = World::new(2, 2);
        let (record, shares) = world.genesis();
        let mut fields = world.manifest_fields(&record, &PUPPET);
        fields.applications = puppets.into_iter().map(|puppet| puppet.0).collect();
        fields.applications.sort_by(|a, b| a.name.cmp(&b.name));
        let link = world.approved(fields);
        let instance = world.boot_with(record, shares, vec![link], &PUPPET);
        for position in [0, 1] {
            let share = instance.honest(&world, position);
            let request = quorate_protocol::message::Request::Provision(share);
            let answer = instance.enclave.ask(&request);
            let given = matches!(answer, quorate_protocol::message::Response::Provisioned(_));
            assert!(given, "{answer:?}");
        }
        Self { instance, world }
    }

    fn running(puppets: Vec<Puppet>) -> Self {
        let stage = Self::launching(puppets);
        stage.await_running();
        stage
    }

    fn status(&self) -> Status {
        self.instance.enclave.status()
    }

    fn application(&self, name: &str) -> ApplicationStatus {
        let status = self.status();
        let mut applications = status.applications.into_iter();
        applications
            .find(|a| a.name.as_str() == name)
            .expect("an application of the manifest")
    }

    fn await_running(&self) {
        self.await_status("everything runs", |status| status.phase == Phase::Running);
    }

    /// Waits until an application runs in this start.
    fn await_start(&self, name: &str, start: u64) {
        let at = |status: &Status| {
            let mut applications = status.applications.iter();
            applications.any(|a| a.name.as_str() == name && a.starts == start && a.ready)
        };
        self.await_status("the application runs again", at);
    }

    fn await_status(&self, what: &str, condition: impl Fn(&Status) -> bool) {
        let since = Instant::now();
        loop {
            let status = self.status();
            if condition(&status) {
                return;
            }
            assert!(
                since.elapsed() < Duration::from_secs(30),
                "{what}: {status:?}\n{}",
                self.console()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn console(&self) -> String {
        std::fs::read_to_string(&self.instance.enclave.started.console).unwrap()
    }

    /// Tells the puppet on this port something, and gives its answer; empty if it ended.
    fn tell(&self, port: u32, line: &str) -> String {
        let name = format!("port-{port}.sock");
        let path = self.instance.enclave.started.directory.join(name);
        let mut stream = UnixStream::connect(path).unwrap();
        let timeout = Some(Duration::from_secs(30));
        stream.set_read_timeout(timeout).unwrap();
        // A puppet that is told to end may be gone before it has read all.
        let _ = writeln!(stream, "{line}");
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        answer.trim_end().into()
    }

    /// Asks the puppet on this port until its answer is as it should be.
    fn await_answer(&self, port: u32, line: &str, fits: impl Fn(&str) -> bool) {
        let since = Instant::now();
        loop {
            let answer = self.tell(port, line);
            if fits(&answer) {
                return;
            }
            let patience = Duration::from_secs(30);
            assert!(since.elapsed() < patience, "{line} on {port}: {answer}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Calls, with time enough for a busy machine.
    fn call(&self, port: u32, callee: &str, payload: &str) -> String {
        self.tell(port, &format!("call {callee} 20000 {payload}"))
    }
}
