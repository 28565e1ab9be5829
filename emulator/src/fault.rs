//! Faults an enclave can be given, to see what the software in it does.
//!
//! Guarantees: with [`Faults::default`] nothing is changed. A fault does what its text says and
//! nothing else; each is bounded, so that an enclave with faults still ends.

use std::thread;
use std::time::Duration;

use quorate_init::nsm::wire::{ErrorCode, Request, Response};
use rand_core::TryCryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::device::NsmDevice;

/// Longest delay of one step.
pub const DELAY_MAX: Duration = Duration::from_secs(300);

/// Most errors of one NSM.
const ERRORS_MAX: usize = 64;

/// Largest skew of a clock: 364 days. The development root is a year old.
const SKEW_MAX_MS: i64 = 364 * 24 * 3600 * 1000;

/// What goes wrong in a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// What goes wrong with the NSM.
    pub nsm: NsmFaults,
    /// What goes wrong with vsock.
    pub vsock: VsockFaults,
}

/// What goes wrong with the NSM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NsmFaults {
    /// The machine has none. A process has always one.
    pub absent: bool,
    /// Milliseconds its clock is ahead of this machine's; behind, if negative.
    pub clock_skew_ms: i64,
    /// How long it takes to answer.
    pub delay: Option<Duration>,
    /// Which requests are answered with an error.
    pub errors: Vec<NsmError>,
}

/// Requests that are answered with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsmError {
    /// Which.
    pub when: NsmCall,
    /// With what.
    pub answer: NsmAnswer,
}

/// Some of the requests an NSM gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsmCall {
    /// The one with this number, counted from 1.
    Nth(u64),
    /// The one with this number among those of its kind. The kernel of a machine asks for entropy
    /// when it likes; the other kinds are init's alone.
    NthOf(NsmOperation, u64),
    /// Every one of this kind.
    Each(NsmOperation),
}

/// What is answered in place of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsmAnswer {
    /// An error the NSM knows.
    Error(ErrorCode),
    /// Bytes that are no answer.
    Garbage,
    /// None, ever. The driver gives up after two minutes.
    Nothing,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NsmOperation {
    /// An attestation document.
    Attestation,
    /// What the device is.
    DescribeNsm,
    /// A register's value.
    DescribePcr,
    /// Writing to a register.
    ExtendPcr,
    /// Entropy.
    GetRandom,
    /// Locking a register.
    LockPcr,
    /// Locking many.
    LockPcrs,
}

impl NsmOperation {
    /// Each, with its name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("Attestation", Self::Attestation),
        ("DescribeNSM", Self::DescribeNsm),
        ("DescribePCR", Self::DescribePcr),
        ("ExtendPCR", Self::ExtendPcr),
        ("GetRandom", Self::GetRandom),
        ("LockPCR", Self::LockPcr),
        ("LockPCRs", Self::LockPcrs),
    ];

    /// The kind of a request; none for what is no request.
    fn of(request: &[u8]) -> Option<Self> {
        Some(match Request::decode(request).ok()? {
            Request::Attestation { .. } => Self::Attestation,
            Request::DescribeNsm => Self::DescribeNsm,
            Request::DescribePcr { .. } => Self::DescribePcr,
            Request::ExtendPcr { .. } => Self::ExtendPcr,
            Request::GetRandom => Self::GetRandom,
            Request::LockPcr { .. } => Self::LockPcr,
            Request::LockPcrs { .. } => Self::LockPcrs,
        })
    }
}

/// Requests an NSM has got so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    all: u64,
    each: [u64; NsmOperation::ALL.len()],
}

impl Requests {
    /// Counts one, and tells which of all and which of its kind it is.
    fn count(&mut self, operation: Option<NsmOperation>) -> (u64, u64) {
        self.all += 1;
        let each = operation.and_then(|operation| self.each.get_mut(operation as usize));
        let of_kind = each.map_or(0, |count| {
            *count += 1;
            *count
        });
        (self.all, of_kind)
    }
}

impl NsmFaults {
    /// The device's answer to one request, as far as nothing goes wrong with it. None: it is never
    /// answered.
    pub(crate) fn process<R: TryCryptoRng>(
        &self,
        requests: &mut Requests,
        device: &mut NsmDevice<R>,
        request: &[u8],
        now_ms: u64,
    ) -> Option<Zeroizing<Vec<u8>>> {
        if let Some(delay) = self.delay {
            thread::sleep(delay);
        }
        let answer = match self.answer(requests, request) {
            Some(NsmAnswer::Nothing) => return None,
            Some(NsmAnswer::Garbage) => b"\xffgarbage".to_vec(),
            Some(NsmAnswer::Error(code)) => Response::Error(code).encode().unwrap_or_default(),
            None => device.process(request, now_ms.saturating_add_signed(self.clock_skew_ms)),
        };
        Some(Zeroizing::new(answer))
    }

    /// Counts a request: what it is answered with instead.
    fn answer(&self, requests: &mut Requests, request: &[u8]) -> Option<NsmAnswer> {
        let operation = NsmOperation::of(request);
        let (number, of_kind) = requests.count(operation);
        let hit = |error: &&NsmError| match error.when {
            NsmCall::Nth(nth) => nth == number,
            NsmCall::NthOf(kind, nth) => operation == Some(kind) && nth == of_kind,
            NsmCall::Each(kind) => operation == Some(kind),
        };
        self.errors.iter().find(hit).map(|error| error.answer)
    }
}

/// Why a text names no fault.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is no fault: {why}")]
pub struct FaultError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Every fault as it is written, for help texts.
pub const FORMS: &str = "\
nsm-absent=yes      a machine has no NSM
nsm-clock=±MS       the NSM's clock is so many milliseconds ahead or behind
nsm-delay=MS        each answer of the NSM takes so long
nsm-error=WHICH     WHICH is a number, counted from 1, or DescribeNSM, DescribePCR, ExtendPCR,
                    LockPCR, LockPCRs, Attestation or GetRandom, or the second of a kind as
                    Attestation:2; answered InternalError
nsm-garbage=WHICH   answered with bytes that are no answer
nsm-silence=WHICH   never answered
vsock-delay=MS      each packet takes so long
vsock-silence=N     after N packets, in both directions together, every one is lost
vsock-reset=N       after N packets each one of the guest resets its connection";

impl Faults {
    /// Adds the fault that a text names ([`FORMS`]).
    ///
    /// # Errors
    /// [`FaultError`]; nothing is added then.
    pub fn add(&mut self, text: &str) -> Result<(), FaultError> {
        let fault = |why| FaultError {
            text: text.chars().take(80).collect(),
            why,
        };
        let (name, value) = text.split_once('=').ok_or_else(|| fault("it has no ="))?;
        let number = || value.parse::<u64>();
        let count = || number().map_err(|_| fault("what follows the = is no number"));
        let delay = || {
            let delay = count().map(Duration::from_millis)?;
            if delay > DELAY_MAX {
                return Err(fault("it is longer than 300000 ms"));
            }
            Ok(Some(delay))
        };
        let mut error = |answer| {
            let which = value.split_once(':');
            let (kind, nth) = which.map_or((value, None), |(kind, nth)| (kind, Some(nth)));
            let mut all = NsmOperation::ALL.into_iter();
            let kind = all.find(|(name, _)| *name == kind).map(|(_, kind)| kind);
            let when = match (kind, nth, nth.unwrap_or(value).parse()) {
                (_, _, Ok(0)) => return Err(fault("requests are counted from 1")),
                (Some(kind), None, _) => NsmCall::Each(kind),
                (Some(kind), Some(_), Ok(nth)) => NsmCall::NthOf(kind, nth),
                (None, None, Ok(nth)) => NsmCall::Nth(nth),
                _ => return Err(fault("no request is named so")),
            };
            if self.nsm.errors.len() >= ERRORS_MAX {
                return Err(fault("there are too many"));
            }
            self.nsm.errors.push(NsmError { when, answer });
            Ok(())
        };
        match name {
            "nsm-absent" if value == "yes" => self.nsm.absent = true,
            "nsm-absent" => return Err(fault("what follows the = is not yes")),
            "nsm-clock" => {
                let skew = value
                    .parse()
                    .ok()
                    .filter(|skew: &i64| skew.abs() <= SKEW_MAX_MS);
                self.nsm.clock_skew_ms =
                    skew.ok_or_else(|| fault("it is no number of milliseconds below 364 days"))?;
            }
            "nsm-delay" => self.nsm.delay = delay()?,
            "nsm-error" => error(NsmAnswer::Error(ErrorCode::InternalError))?,
            "nsm-garbage" => error(NsmAnswer::Garbage)?,
            "nsm-silence" => error(NsmAnswer::Nothing)?,
            "vsock-delay" => self.vsock.delay = delay()?,
            "vsock-silence" => self.vsock.loss = Some(VsockLoss::Silence { after: count()? }),
            "vsock-reset" => self.vsock.loss = Some(VsockLoss::Reset { after: count()? }),
            _ => return Err(fault("no fault is named so")),
        }
        Ok(())
    }
}

/// What goes wrong with vsock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VsockFaults {
    /// How long each packet takes.
    pub delay: Option<Duration>,
    /// What is lost.
    pub loss: Option<VsockLoss>,
}

/// How vsock fails. Packets are counted in both directions together, over the machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VsockLoss {
    /// After so many packets every one is lost in silence.
    Silence {
        /// How many pass.
        after: u64,
    },
    /// After so many packets each one of the guest resets its connection.
    Reset {
        /// How many pass.
        after: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(texts: &[&str]) -> Result<Faults, FaultError> {
        let mut faults = Faults::default();
        texts.iter().try_for_each(|text| faults.add(text))?;
        Ok(faults)
    }

    #[test]
    fn faults_are_read() {
        let read = faults(&[
            "nsm-clock=-5000",
            "nsm-delay=20",
            "nsm-error=3",
            "nsm-garbage=GetRandom",
            "nsm-silence=LockPCRs",
            "nsm-error=Attestation:2",
            "vsock-delay=1",
            "vsock-reset=9",
        ]);
        let error = |when, answer| NsmError { when, answer };
        let expected = Faults {
            nsm: NsmFaults {
                absent: false,
                clock_skew_ms: -5000,
                delay: Some(Duration::from_millis(20)),
                errors: vec![
                    error(NsmCall::Nth(3), NsmAnswer::Error(ErrorCode::InternalError)),
                    error(NsmCall::Each(NsmOperation::GetRandom), NsmAnswer::Garbage),
                    error(NsmCall::Each(NsmOperation::LockPcrs), NsmAnswer::Nothing),
                    error(
                        NsmCall::NthOf(NsmOperation::Attestation, 2),
                        NsmAnswer::Error(ErrorCode::InternalError),
                    ),
                ],
            },
            vsock: VsockFaults {
                delay: Some(Duration::from_millis(1)),
                loss: Some(VsockLoss::Reset { after: 9 }),
            },
        };
        assert_eq!(read, Ok(expected));
        for (name, _) in FORMS.lines().filter_map(|line| line.split_once('=')) {
            let value = if name == "nsm-absent" { "yes" } else { "1" };
            let one = format!("{name}={value}");
            assert_eq!(faults(&[&one]).map(drop), Ok(()), "{one}");
        }
    }

    #[test]
    fn what_is_no_fault_fails_closed() {
        for text in [
            "",
            "nsm-clock",
            "nsm-clock=",
            "nsm-clock=9999999999999999",
            "nsm-absent=no",
            "nsm-delay=300001",
            "nsm-delay=-1",
            "nsm-error=0",
            "nsm-error=Reboot",
            "nsm-error=Attestation:",
            "nsm-error=Attestation:0",
            "nsm-error=2:2",
            "vsock-silence=x",
            "memory=1",
        ] {
            assert!(faults(&[text]).is_err(), "{text}");
        }
        assert!(faults(&["nsm-error=1"; ERRORS_MAX + 1]).is_err());
    }

    #[test]
    fn a_request_is_known_by_number_by_kind_and_by_number_of_its_kind() {
        let faults = faults(&[
            "nsm-error=2",
            "nsm-garbage=DescribeNSM",
            "nsm-silence=GetRandom:3",
        ]);
        let faults = faults.unwrap().nsm;
        let describe = Request::DescribeNsm.encode().unwrap();
        let random = Request::GetRandom.encode().unwrap();
        let mut requests = Requests::default();
        let mut answer = |request: &[u8]| faults.answer(&mut requests, request);
        assert_eq!(answer(&random), None);
        let error = NsmAnswer::Error(ErrorCode::InternalError);
        assert_eq!(answer(&random), Some(error));
        assert_eq!(answer(&describe), Some(NsmAnswer::Garbage));
        assert_eq!(answer(b"no request"), None);
        assert_eq!(answer(&random), Some(NsmAnswer::Nothing));
        assert_eq!(answer(&random), None);
    }

    #[test]
    fn every_kind_is_counted_in_a_place_of_its_own() {
        let places = NsmOperation::ALL.map(|(_, kind)| kind as usize);
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6]);
    }
}
