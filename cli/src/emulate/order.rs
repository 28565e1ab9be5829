//! The orders `quorate emulate serve` takes, one a line.
//!
//! Guarantees: a line is an order as a whole or not at all; a key that means nothing is refused.

use std::path::PathBuf;

use quorate_emulator::device::Mode;
use quorate_emulator::fault::{Faults, NsmFaults, VsockFaults};
use quorate_emulator::machine::image;
use quorate_emulator::machine::run::{Setup, Until};
use quorate_emulator::process::{self, Ended, Hypervisor, Start, Started, Stopped};
use quorate_protocol::atoms::Name;
use serde_json::{Map, Value, json};

use super::{Measured, explain, explain_machine};
use crate::failure::{Failure, Fault};
use crate::output::Render as _;

/// One line of input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    Kill(Name),
    Measure(What),
    Port(Name, u32),
    Start(Start, NsmFaults),
    StartMachine(Name, Box<Setup>),
    Stop(Name),
}

/// What can be measured.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Image(PathBuf),
    Init(PathBuf),
}

impl Order {
    pub(super) fn parse(line: &[u8]) -> Result<Self, Failure> {
        let value: Value = serde_json::from_slice(line)
            .map_err(|error| malformed(&format!("no JSON: {error}")))?;
        let Value::Object(outer) = value else {
            return Err(malformed("an order is an object"));
        };
        let mut entries = outer.into_iter();
        let (Some((kind, body)), None) = (entries.next(), entries.next()) else {
            return Err(malformed("an order is an object with one key"));
        };
        let Value::Object(mut body) = body else {
            return Err(malformed("what stands behind the key is an object"));
        };
        let order = match kind.as_str() {
            "kill" => Self::Kill(name(&mut body)?),
            "measure" => Self::Measure(if body.contains_key("image") {
                What::Image(path(&mut body, "image")?)
            } else {
                What::Init(path(&mut body, "init")?)
            }),
            "port" => {
                let port = number(&mut body, "port")?;
                let port = port.ok_or_else(|| malformed("\"port\" is missing"))?;
                Self::Port(name(&mut body)?, port)
            }
            "start" if body.contains_key("image") => {
                Self::StartMachine(name(&mut body)?, Box::new(setup(&mut body)?))
            }
            "start" => {
                let start = Start {
                    name: name(&mut body)?,
                    init: path(&mut body, "init")?,
                    role_arn: optional_text(&mut body, "role_arn")?,
                    memory: None,
                    mode: mode(&mut body)?,
                };
                Self::Start(start, of_a_process(faults(&mut body)?)?)
            }
            "stop" => Self::Stop(name(&mut body)?),
            _ => {
                return Err(malformed(
                    "the orders are kill, measure, port, start and stop",
                ));
            }
        };
        match body.keys().next() {
            None => Ok(order),
            Some(key) => Err(malformed(&format!("the key {key:?} is unknown here"))),
        }
    }

    /// Whether it takes a QEMU to carry it out.
    pub(super) const fn needs_qemu(&self) -> bool {
        matches!(self, Self::StartMachine(..))
    }

    pub(super) fn carry_out(self, hypervisor: &mut Hypervisor) -> Result<Value, Failure> {
        let done = match self {
            Self::Kill(name) => hypervisor
                .kill(&name)
                .map(|stopped| json!({ "stopped": stopped_json(&name, stopped) })),
            Self::Measure(What::Image(path)) => {
                let measured = image::measure(&path);
                let measured = measured.map_err(|error| explain_machine(&error.into()))?;
                return Ok(json!({ "measured": Measured(measured).json() }));
            }
            Self::Measure(What::Init(path)) => process::measure(&path)
                .map(|measured| json!({ "measured": Measured(measured).json() })),
            Self::Port(name, port) => hypervisor.open_port(&name, port).map(|socket| {
                json!({ "opened": { "name": name.as_str(), "port": port, "socket": socket } })
            }),
            Self::Start(start, faults) => hypervisor
                .start_with(&start, &faults)
                .map(|started| json!({ "started": started_json(&start.name, &started) })),
            Self::StartMachine(name, setup) => hypervisor
                .start_machine(&name, &setup)
                .map(|started| json!({ "started": started_json(&name, &started) })),
            Self::Stop(name) => hypervisor
                .stop(&name)
                .map(|stopped| json!({ "stopped": stopped_json(&name, stopped) })),
        };
        done.map_err(|error| explain(&error))
    }
}

/// What a machine is to be.
fn setup(body: &mut Map<String, Value>) -> Result<Setup, Failure> {
    let faults = faults(body)?;
    let ports = list(body, "ports")?.into_iter().map(|port| {
        let port = port.as_u64().and_then(|port| u32::try_from(port).ok());
        port.ok_or_else(|| malformed("\"ports\" has something that is no port"))
    });
    Ok(Setup {
        ports: ports.collect::<Result<_, _>>()?,
        image: path(body, "image")?,
        cid: number(body, "cid")?,
        memory_mib: number(body, "memory_mib")?.unwrap_or(256),
        cpus: number(body, "cpus")?.unwrap_or(2),
        role_arn: optional_text(body, "role_arn")?,
        mode: mode(body)?,
        faults,
        until: if flag(body, "wait")?.unwrap_or(true) {
            Until::Listening
        } else {
            Until::Running
        },
    })
}

/// What is to go wrong.
fn faults(body: &mut Map<String, Value>) -> Result<Faults, Failure> {
    let mut faults = Faults::default();
    for text in list(body, "faults")? {
        let text = text.as_str();
        let text = text.ok_or_else(|| malformed("\"faults\" has something that is no text"))?;
        faults
            .add(text)
            .map_err(|error| malformed(&error.to_string()))?;
    }
    Ok(faults)
}

/// The same for an enclave that is a process: it has an NSM, and no vsock.
fn of_a_process(faults: Faults) -> Result<NsmFaults, Failure> {
    if faults.nsm.absent || faults.vsock != VsockFaults::default() {
        return Err(malformed(
            "a process has an NSM and no vsock: it takes faults of an NSM that is there",
        ));
    }
    Ok(faults.nsm)
}

fn list(body: &mut Map<String, Value>, key: &'static str) -> Result<Vec<Value>, Failure> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => Ok(values),
        Some(_) => Err(malformed(&format!("{key:?} is no list"))),
    }
}

fn number(body: &mut Map<String, Value>, key: &'static str) -> Result<Option<u32>, Failure> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            let wrong = || malformed(&format!("{key:?} is no number of 32 bits"));
            Ok(Some(number.ok_or_else(wrong)?))
        }
    }
}

fn flag(body: &mut Map<String, Value>, key: &'static str) -> Result<Option<bool>, Failure> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(malformed(&format!("{key:?} is not true or false"))),
    }
}

fn path(body: &mut Map<String, Value>, key: &'static str) -> Result<PathBuf, Failure> {
    optional_text(body, key)?
        .filter(|text| !text.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| malformed(&format!("{key:?} is missing")))
}

fn name(body: &mut Map<String, Value>) -> Result<Name, Failure> {
    let text = optional_text(body, "name")?.ok_or_else(|| malformed("\"name\" is missing"))?;
    Name::new(&text).map_err(|error| malformed(&error.to_string()))
}

fn optional_text(
    body: &mut Map<String, Value>,
    key: &'static str,
) -> Result<Option<String>, Failure> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(&format!("{key:?} is not a text"))),
    }
}

fn mode(body: &mut Map<String, Value>) -> Result<Mode, Failure> {
    Ok(match flag(body, "debug")? {
        None | Some(false) => Mode::Normal,
        Some(true) => Mode::Debug,
    })
}

fn started_json(name: &Name, started: &Started) -> Value {
    json!({
        "name": name.as_str(),
        "pid": started.pid,
        "module": started.module,
        "directory": started.directory,
        "operator": started.operator,
        "public": started.public,
        "console": started.console,
    })
}

fn stopped_json(name: &Name, stopped: Stopped) -> Value {
    let (code, signal) = match stopped.ended {
        Ended::Exited(code) => (Some(code), None),
        Ended::Killed(signal) => (None, Some(signal)),
    };
    json!({
        "name": name.as_str(),
        "ended_before": stopped.ended_before,
        "code": code,
        "signal": signal,
    })
}

pub(super) fn malformed(what: &str) -> Failure {
    Failure::refused(
        Fault::Caller,
        "order-malformed",
        format!("this is no order: {what}"),
        "quorate emulate serve --help shows every order",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Order, Failure> {
        Order::parse(line.as_bytes())
    }

    #[test]
    fn orders_are_read() {
        let name = Name::new("a").expect("a name");
        let start = Start {
            name: name.clone(),
            init: "/i".into(),
            role_arn: None,
            memory: None,
            mode: Mode::Normal,
        };
        assert_eq!(
            parse(r#"{"start":{"name":"a","init":"/i","role_arn":null,"debug":false}}"#),
            Ok(Order::Start(start.clone(), NsmFaults::default()))
        );
        let behind = NsmFaults {
            clock_skew_ms: -3_600_000,
            ..NsmFaults::default()
        };
        assert_eq!(
            parse(r#"{"start":{"name":"a","init":"/i","faults":["nsm-clock=-3600000"]}}"#),
            Ok(Order::Start(start, behind))
        );
        assert_eq!(parse(r#"{"stop":{"name":"a"}}"#), Ok(Order::Stop(name)));
        assert_eq!(
            parse(r#"{"measure":{"image":"i"}}"#),
            Ok(Order::Measure(What::Image("i".into())))
        );
        let name = || Name::new("a").expect("a name");
        assert_eq!(
            parse(r#"{"port":{"name":"a","port":6000}}"#),
            Ok(Order::Port(name(), 6000))
        );
        assert_eq!(parse(r#"{"kill":{"name":"a"}}"#), Ok(Order::Kill(name())));
        let mut setup = Setup {
            image: "/e".into(),
            cid: None,
            memory_mib: 256,
            cpus: 2,
            role_arn: None,
            mode: Mode::Normal,
            ports: Vec::new(),
            faults: Faults::default(),
            until: Until::Listening,
        };
        assert_eq!(
            parse(r#"{"start":{"name":"a","image":"/e"}}"#),
            Ok(Order::StartMachine(name(), Box::new(setup.clone())))
        );
        setup.cid = Some(20);
        setup.memory_mib = 64;
        setup.cpus = 1;
        setup.mode = Mode::Debug;
        setup.ports = vec![6000];
        setup.until = Until::Running;
        setup.faults.add("nsm-delay=5").expect("a fault");
        assert_eq!(
            parse(
                r#"{"start":{"name":"a","image":"/e","cid":20,"memory_mib":64,"cpus":1,
                    "debug":true,"ports":[6000],"faults":["nsm-delay=5"],"wait":false}}"#
            ),
            Ok(Order::StartMachine(name(), Box::new(setup)))
        );
        assert_eq!(
            parse(r#"{"measure":{"init":"i"}}"#),
            Ok(Order::Measure(What::Init("i".into())))
        );
    }

    #[test]
    fn what_is_no_order_fails_closed() {
        for line in [
            "",
            "[]",
            "{",
            "{}",
            r#"{"start":{}}"#,
            r#"{"start":{"name":"a"}}"#,
            r#"{"start":{"name":"../a","init":"/i"}}"#,
            r#"{"start":{"name":"a","init":"/i","debug":"yes"}}"#,
            r#"{"start":{"name":"a","init":"/i","more":1}}"#,
            r#"{"start":{"name":"a","init":""}}"#,
            r#"{"start":{"name":"a","init":"/i","image":"/e"}}"#,
            r#"{"start":{"name":"a","init":"/i","faults":["nsm-absent=yes"]}}"#,
            r#"{"start":{"name":"a","init":"/i","faults":["vsock-delay=1"]}}"#,
            r#"{"start":{"name":"a","init":"/i","faults":["clock"]}}"#,
            r#"{"start":{"name":"a","init":"/i","faults":"nsm-delay=1"}}"#,
            r#"{"start":{"name":"a","init":"/i","memory_mib":64}}"#,
            r#"{"start":{"name":"a","image":"/e","memory_mib":-1}}"#,
            r#"{"start":{"name":"a","image":"/e","ports":[4294967296]}}"#,
            r#"{"start":{"name":"a","image":"/e","ports":6000}}"#,
            r#"{"start":{"name":"a","image":"/e","faults":["x"]}}"#,
            r#"{"start":{"name":"a","image":"/e","wait":1}}"#,
            r#"{"port":{"name":"a"}}"#,
            r#"{"stop":{"name":"a"},"start":{}}"#,
            r#"{"stop":"a"}"#,
            r#"{"reboot":{"name":"a"}}"#,
            r#"{"measure":{"init":7}}"#,
        ] {
            let failure = parse(line).expect_err(line);
            assert_eq!(failure.code, "order-malformed", "{line}");
        }
    }
}
