//! Supervisors as real processes: named, described, ended, killed. Each is this test program once
//! more, on a double of the driver.
#![allow(missing_docs)]

mod model;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use model::{Driver, Instance, Life};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quorate_eif::{Architecture, Eif, Parts};
use quorate_launcher::device::Mode;
use quorate_launcher::error::LaunchError;
use quorate_launcher::image::Image;
use quorate_launcher::launch::Wish;
use quorate_launcher::machine::{Cpus, Machine};
use quorate_launcher::seat::{Facts, Order, Seat, State, ask, names};
use quorate_launcher::supervise::{Signals, run};
use quorate_protocol::atoms::Name;

const FOLDER: &str = "QUORATE_TEST_SUPERVISOR";

fn name() -> Name {
    Name::new("one").expect("a name")
}

/// The supervisor's side, in a process of its own; prints each state as a line.
#[test]
fn as_a_supervisor() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let life = fs::read_to_string(folder.join("life")).expect("what to do");
    let mut instance = Instance::new(folder.join("heartbeat"));
    instance.life = match life.as_str() {
        "well" => Life::Well,
        "impostor" => Life::Impostor,
        "stammers" => Life::Stammers,
        "silent" => Life::Silent,
        "dies" => Life::Dies,
        "until" => Life::Until,
        other => panic!("{other}"),
    };
    let signals = Signals::take().expect("signals");
    let outcome = Image::open(&folder.join("image.eif"), |_, _| {}).and_then(|image| {
        let seat = Seat::take(&folder.join("state"), &name())?;
        println!("\nseated");
        let wish = Wish {
            mode: Mode::Production,
            cid: None,
            memory: None,
            cpus: Cpus::Count(2),
        };
        let mut driver = Driver::new(instance);
        let machine = Machine::at(&folder);
        run(
            &mut driver,
            &machine,
            image,
            &wish,
            &seat,
            &signals,
            |facts| {
                println!("{:?}", facts.state);
                Ok(())
            },
        )
    });
    match outcome {
        Ok(facts) => println!("{:?}", facts.state),
        Err(error) => println!("{}", error.explain().code),
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(life: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        let pages = place.path("kernel/mm/hugepages/hugepages-2048kB");
        fs::create_dir_all(&pages).expect("a folder");
        fs::write(pages.join("free_hugepages"), "64\n").expect("written");
        fs::write(place.path("life"), life).expect("written");
        let parts = Parts {
            architecture: Architecture::X86_64,
            kernel: b"kernel",
            command_line: "console=ttyS0",
            ramdisks: &[b"ramdisk"],
            metadata: b"{}",
        };
        let image = Eif::assemble(&parts).expect("an image").to_bytes();
        fs::write(place.path("image.eif"), image).expect("written");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn supervisor(&self) -> Supervisor {
        // The test harness has threads already when the test runs: coreutils' env takes the
        // signals over for all of them, as `Signals::take` does for a program of its own.
        let mut child = Command::new("env")
            .arg("--block-signal=TERM,INT,HUP")
            .arg(std::env::current_exe().expect("this program"))
            .args(["--exact", "as_a_supervisor", "--nocapture"])
            .env(FOLDER, self.0.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Supervisor { child, out }
    }

    fn ask(&self, order: Order) -> Result<Facts, LaunchError> {
        ask(&self.path("state"), &name(), order)
    }
}

struct Supervisor {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Reads lines until one is `expected`; everything else the test harness prints is skipped.
    fn await_line(&mut self, expected: &str) {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let count = self.out.read_line(&mut line).expect("lines");
            assert!(count > 0, "never said {expected}, but {all}");
            if line.trim_end() == expected {
                return;
            }
            all.push_str(&line);
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        kill(Pid::from_raw(pid), signal).expect("sent");
    }

    /// Waits for its end.
    fn end(mut self) -> std::process::ExitStatus {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("the rest");
        self.child.wait().expect("its end")
    }
}

fn nothing_left(state: &Path) {
    assert_eq!(names(state), Ok(vec![]));
    let error = LaunchError::NotRunning { name: "one".into() };
    assert_eq!(ask(state, &name(), Order::Describe), Err(error));
}

#[test]
fn an_enclave_is_described_and_ended_by_its_name() {
    let place = Place::new("well");
    let mut supervisor = place.supervisor();
    supervisor.await_line("Running");
    let facts = place.ask(Order::Describe).expect("it answers");
    let image = Image::open(&place.path("image.eif"), |_, _| {}).expect("an image");
    assert_eq!(facts.state, State::Running);
    assert_eq!((facts.cid, facts.memory), (16, 64 << 20));
    assert_eq!(facts.cpus, [4, 5]);
    assert_eq!(facts.pcr0, image.measurements().pcr0.to_string());
    assert_eq!(facts.supervisor, supervisor.child.id());
    // The name is taken.
    let taken = LaunchError::NameTaken { name: "one".into() };
    assert_eq!(Seat::take(&place.path("state"), &name()).err(), Some(taken));
    let ended = place.ask(Order::Terminate).expect("it answers");
    assert_eq!(ended.state, State::Ended);
    supervisor.await_line("Ended");
    assert!(supervisor.end().success());
    nothing_left(&place.path("state"));
    Seat::take(&place.path("state"), &name()).expect("the name is free");
}

#[test]
fn signals_end_the_enclave_and_then_the_supervisor() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let place = Place::new("well");
        let mut supervisor = place.supervisor();
        supervisor.await_line("Running");
        supervisor.signal(signal);
        supervisor.await_line("Ended");
        assert!(supervisor.end().success());
        nothing_left(&place.path("state"));
    }
}

#[test]
fn an_enclave_is_ended_before_its_sign_of_life_too() {
    let place = Place::new("silent");
    let mut supervisor = place.supervisor();
    supervisor.await_line("seated");
    let facts = place.ask(Order::Describe).expect("it answers");
    assert_eq!(facts.state, State::Starting);
    place.ask(Order::Terminate).expect("it answers");
    supervisor.await_line("Ended");
    assert!(supervisor.end().success());
}

#[test]
fn somebody_elses_sign_of_life_fails_closed() {
    // The double fails its own process where an impostor or a wrong sign is answered.
    for life in ["impostor", "stammers"] {
        let place = Place::new(life);
        let mut supervisor = place.supervisor();
        supervisor.await_line("Running");
        place.ask(Order::Terminate).expect("it answers");
        supervisor.await_line("Ended");
        assert!(supervisor.end().success());
    }
}

#[test]
fn an_enclave_that_ends_by_itself_fails_closed() {
    let place = Place::new("dies");
    let mut supervisor = place.supervisor();
    supervisor.await_line("enclave-ended");
    assert!(supervisor.end().success());
    nothing_left(&place.path("state"));

    let place = Place::new("until");
    let pipe = place.path("until");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let mut supervisor = place.supervisor();
    supervisor.await_line("Running");
    let writer = fs::OpenOptions::new()
        .write(true)
        .open(&pipe)
        .expect("open");
    let facts = place.ask(Order::Describe).expect("it answers");
    assert_eq!(facts.state, State::Running);
    drop(writer);
    supervisor.await_line("enclave-ended");
    assert!(supervisor.end().success());
    nothing_left(&place.path("state"));
}

#[test]
fn a_killed_supervisor_leaves_a_name_that_is_free() {
    let place = Place::new("well");
    let mut supervisor = place.supervisor();
    supervisor.await_line("Running");
    supervisor.signal(Signal::SIGKILL);
    assert_eq!(supervisor.end().signal(), Some(9));
    // Its socket is still there, and nobody behind it.
    assert_eq!(names(&place.path("state")), Ok(vec![name()]));
    let error = LaunchError::NotRunning { name: "one".into() };
    assert_eq!(place.ask(Order::Terminate), Err(error));
    // The driver ends an enclave whose descriptor is closed; the double's listener stays behind.
    fs::remove_file(place.path("heartbeat")).unwrap_or_default();
    let mut next = place.supervisor();
    next.await_line("Running");
    place.ask(Order::Terminate).expect("it answers");
    assert!(next.end().success());
}

#[test]
fn a_supervisor_that_is_asked_nonsense_goes_on() {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    let place = Place::new("well");
    let mut supervisor = place.supervisor();
    supervisor.await_line("Running");
    let socket = place.path("state/one.sock");
    for bytes in [b"".as_slice(), b"x", b"dddd", b"GET / HTTP/1.1\r\n"] {
        let mut stream = UnixStream::connect(&socket).expect("it listens");
        stream.write_all(bytes).expect("sent");
    }
    // One that says nothing and stays.
    let _silent = UnixStream::connect(&socket).expect("it listens");
    place.ask(Order::Terminate).expect("it answers");
    assert!(supervisor.end().success());
}
