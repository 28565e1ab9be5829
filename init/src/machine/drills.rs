//! How a drill ends, and what is asked of enclaves that hold none.

use quorate_protocol::drill::DrillFinishRequest;
use quorate_protocol::message::{Reason, Response};

use super::{Machine, State};
use crate::drill::Subject;
use crate::platform::Platform;
use crate::refuse::{Denied, Halt, refuse};

impl<P: Platform> Machine<P> {
    /// Ends the drill, or shows again how it ended.
    pub(super) fn finish_drill(
        &mut self,
        request: &DrillFinishRequest,
    ) -> Result<Response, Denied> {
        if let State::Drilling(drilling) = &self.state {
            drilling.check_finish(&mut self.device, request)?;
            // A failure from here on is fatal, so it is not put back.
            let State::Drilling(drilling) = std::mem::replace(&mut self.state, State::Halting)
            else {
                return Err(Halt::Derivation.into());
            };
            let drilled = drilling.finish(&self.device, request.due)?;
            self.enter(State::Drilled(Box::new(drilled)));
        }
        let State::Drilled(drilled) = &self.state else {
            return Err(self.no_drill());
        };
        let drill = drilled.show(&mut self.device, &request.nonce)?;
        Ok(Response::Drilled(Box::new(drill)))
    }

    /// Something of a drill was asked of an enclave that holds none.
    pub(super) fn no_drill(&self) -> Denied {
        match self.state {
            State::Drilled(_) => refuse(Reason::DrillOver, ""),
            _ => refuse(Reason::DrillNotHere, ""),
        }
    }

    /// What a drill is about, if this enclave was started for one.
    pub(super) fn drill(&self) -> Option<&Subject> {
        match &self.state {
            State::Drilling(drilling) => Some(drilling.subject()),
            State::Drilled(drilled) => Some(drilled.subject()),
            _ => None,
        }
    }
}
