//! For tests: the process dies at a chosen write.
//!
//! Every write to a file system passes points at which a process could be killed. [`at`] chooses one
//! of them; from there on every write of this thread fails and nothing is tidied up, as if nobody
//! were there any more.

use std::cell::Cell;
use std::path::Path;

use nix::errno::Errno;

use super::StorageError;

thread_local! {
    /// Points left until death; none while nobody shall die.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs with a death at the point of this number, from 0. What came of it, and whether it got there.
pub(crate) fn at<T>(point: usize, run: impl FnOnce() -> T) -> (T, bool) {
    LEFT.set(Some(point));
    let done = run();
    let died = LEFT.replace(None) == Some(0) && reached();
    (done, died)
}

thread_local! {
    static REACHED: Cell<bool> = const { Cell::new(false) };
}

fn reached() -> bool {
    REACHED.replace(false)
}

/// A point at which a process could be killed.
pub(super) fn point(path: &Path) -> Result<(), StorageError> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => {
            REACHED.set(true);
            Err(StorageError::Io {
                path: path.into(),
                errno: Errno::EIO as i32,
            })
        }
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}
