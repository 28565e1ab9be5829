//! Where applications run: each in a sandbox of its own, as far as the machine is ours.
//!
//! Guarantees, in a machine whose first process init is: an application has its own user and group,
//! its own namespaces for processes, mounts, host name and network, an empty read-only root, its
//! own cgroup, no capability and no way to one, the limits of [`spawn`], a Landlock domain that
//! allows nothing, and the system calls of [`calls`]. It holds the descriptors its launch record
//! names and can make none that lead anywhere. init itself is held to a table, too, from before the
//! first request on.
//!
//! As an ordinary user's process (the emulator's process mode) there is neither the right to do
//! that nor a machine to do it in: an application gets a session, limits and its descriptors.
//!
//! Does not: hide what hardware leaks between processes of one machine, or limit how much an
//! application says through its own answers.

mod calls;
mod group;
mod init_calls;
mod own;
mod spawn;

use std::rc::Rc;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use self::calls::Filters;
use self::group::{Group, Groups};
pub use self::own::{FirstProcess, PARENT, end};
pub(crate) use self::spawn::{Spawn, spawn};
use crate::refuse::Halt;

/// User and group of the application at position 0; the next ones follow.
const FIRST_USER: u32 = 100_000;

/// What a [`Platform`](crate::Platform) has to confine applications with.
///
/// There are two ways to one: [`FirstProcess::confine`] in a machine of our own, and
/// [`as_user`](Self::as_user) without.
pub struct Confinement(Means);

enum Means {
    User,
    Machine(Machine),
}

/// What the first process prepared.
struct Machine {
    groups: Groups,
    filters: Rc<Filters>,
}

impl Confinement {
    /// What an ordinary user's process can do. Applications share the user, its files and its
    /// network with init.
    pub fn as_user() -> Self {
        Self(Means::User)
    }

    /// The sandbox of the application at `position`.
    ///
    /// # Errors
    /// [`Halt::Kernel`].
    pub(crate) fn sandbox(&self, position: usize, memory: u64) -> Result<Sandbox, Halt> {
        Ok(Sandbox(match &self.0 {
            Means::User => Kind::User,
            Means::Machine(machine) => {
                let nth = u32::try_from(position).map_err(|_| Halt::Derivation)?;
                Kind::Machine(Cell {
                    user: FIRST_USER.saturating_add(nth),
                    group: machine.groups.make(position, memory)?,
                    filters: Rc::clone(&machine.filters),
                })
            }
        }))
    }
}

/// The sandbox of one application, for all its starts.
pub(crate) struct Sandbox(Kind);

enum Kind {
    User,
    Machine(Cell),
}

struct Cell {
    user: u32,
    group: Group,
    filters: Rc<Filters>,
}

impl Sandbox {
    /// Ends a process that was started in it and whatever that started. An ordinary user's process
    /// cannot reach what left its group.
    pub(crate) fn end(&self, process: Pid) {
        match &self.0 {
            Kind::User => {
                let _ = killpg(process, Signal::SIGKILL);
            }
            // The group exists as long as its descriptor does, so this cannot fail.
            Kind::Machine(cell) => {
                let _ = cell.group.end();
            }
        }
    }
}
