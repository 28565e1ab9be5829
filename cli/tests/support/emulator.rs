//! The emulator, which starts enclaves as processes at the orders of a test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::Place;

/// An emulator in the folder `nitro` of a place; it ends with this.
pub(crate) struct Emulator {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Emulator {
    pub(crate) fn start(place: &Place) -> Self {
        let mut child = place
            .command(&["emulate", "serve", "--directory", "nitro"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("its answers"));
        Self {
            child,
            orders,
            answers,
        }
    }

    /// An order that must be carried out; the answer to it.
    #[track_caller]
    pub(crate) fn order(&mut self, order: &Value) -> Value {
        let orders = self.orders.as_mut().expect("an emulator");
        writeln!(orders, "{order}").expect("an order");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert!(answer.get("error").is_none(), "{order}: {answer}");
        answer
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The end of its input is its order to stop.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
