//! Machines of a [`Hypervisor`]: the same names, the same folder, the same answers as its processes.

use std::path::PathBuf;
use std::time::Duration;

use quorate_builder::progress::{Progress, Silent};
use quorate_protocol::atoms::Name;

use super::{
    Enclave, Ended, Hypervisor, ProcessError, Started, Stopped, check_length, file_error,
    make_folder,
};
use crate::machine::qemu::Search;
use crate::machine::run::{CONSOLE, How, Machine, MachineError, Place, Setup};

/// The first CID given to a machine that names none.
pub(super) const FIRST_CID: u32 = 16;

impl Hypervisor {
    /// Says where QEMU is looked for. The search begins when a machine is first started.
    pub fn look_for_qemu(&mut self, search: Search) {
        self.search = search;
        self.found = None;
    }

    /// Looks for QEMU now, unless it was found before; what takes long is told to `progress`.
    ///
    /// # Errors
    /// [`ProcessError::Qemu`].
    pub fn find_qemu(&mut self, progress: &dyn Progress) -> Result<(), ProcessError> {
        if self.found.is_none() {
            self.found = Some(self.search.find(progress)?);
        }
        Ok(())
    }

    /// Starts a machine and waits as `setup` says.
    ///
    /// # Errors
    /// [`ProcessError`]; nothing runs then.
    pub fn start_machine(&mut self, name: &Name, setup: &Setup) -> Result<Started, ProcessError> {
        let directory = self.directory.join(name.as_str());
        check_length(&directory)?;
        let qemu = match self.found.take() {
            Some(found) => found,
            None => self.search.find(&Silent)?,
        };
        let qemu = &*self.found.insert(qemu);
        make_folder(&directory, name)?;
        let place = Place {
            folder: &directory,
            root: &self.root,
            instance: &self.instance,
            qemu,
            cid: self.next_cid,
        };
        let machine = Machine::start(setup, &place).inspect_err(|error| {
            // What a guest printed is kept for whoever has to find out why.
            if !matches!(
                error,
                MachineError::EndedEarly { .. } | MachineError::Silent { .. }
            ) {
                let _ = std::fs::remove_dir_all(&directory);
            }
        })?;
        self.next_cid = self.next_cid.checked_add(1).unwrap_or(FIRST_CID);
        let started = Started {
            pid: machine.pid(),
            module: machine.module().to_owned(),
            operator: directory.join("operator.sock"),
            public: directory.join("public.sock"),
            console: directory.join(CONSOLE),
            directory,
        };
        let machine = Enclave::Machine(Box::new(machine));
        self.enclaves.insert(name.clone(), machine);
        Ok(started)
    }

    /// Whether and how an enclave has ended by itself. It is still to be stopped then.
    ///
    /// # Errors
    /// [`ProcessError::NoSuchEnclave`].
    pub fn ended(&self, name: &Name) -> Result<Option<Ended>, ProcessError> {
        match self.enclaves.get(name) {
            Some(Enclave::Machine(machine)) => Ok(machine.ended()),
            Some(Enclave::Process(process)) => Ok(process.ended()),
            None => Err(ProcessError::NoSuchEnclave { name: name.clone() }),
        }
    }

    /// Ends a machine at once, as a power failure does. A process ends as with
    /// [`stop`](Self::stop).
    ///
    /// # Errors
    /// [`ProcessError::NoSuchEnclave`].
    pub fn kill(&mut self, name: &Name) -> Result<Stopped, ProcessError> {
        match self.take(name)? {
            Enclave::Process(mut process) => Ok(process.stop()),
            Enclave::Machine(mut machine) => Ok(machine.stop(How::AtOnce)),
        }
    }

    /// Makes a socket for a port of a machine's guest: its path. A process makes its own.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn open_port(&mut self, name: &Name, port: u32) -> Result<PathBuf, ProcessError> {
        let path = self.directory.join(name.as_str());
        let socket = self.machine(name)?.open_port(port);
        let socket = socket.map_err(|error| file_error(&path, "given a socket", &error))?;
        Ok(path.join(socket))
    }

    /// Waits for a machine's sign of life. False when it does not come within `limit`.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn await_heartbeat(&mut self, name: &Name, limit: Duration) -> Result<bool, ProcessError> {
        Ok(self.machine(name)?.await_heartbeat(limit))
    }

    fn machine(&self, name: &Name) -> Result<&Machine, ProcessError> {
        match self.enclaves.get(name) {
            Some(Enclave::Machine(machine)) => Ok(machine),
            Some(Enclave::Process(_)) => Err(ProcessError::NotAMachine { name: name.clone() }),
            None => Err(ProcessError::NoSuchEnclave { name: name.clone() }),
        }
    }
}
