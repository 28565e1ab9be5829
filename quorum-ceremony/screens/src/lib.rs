//! What a person sees before they sign or give, and how they say yes.
//!
//! A [`Page`] is data: what was verified, how, what follows from it, and the question. [`update`]
//! and [`view`] are functions of a [`Model`] and nothing else, so that every screen is tested as
//! text. [`plain`] says the same in lines, for terminals without a screen and for people who read
//! with their ears. [`terminal`] is the only part that touches a terminal.
//!
//! Guarantees:
//! * Nothing is said by colour alone, nothing is on the screen that is not in the lines, and whoever
//!   scrolls has seen every word of the lines.
//! * What came from outside cannot steer a terminal: a [`Text`] has no control and no direction
//!   characters, and its length is bounded.
//! * Yes is two words that name what is agreed to, typed. A key pressed by mistake is never a yes,
//!   and where the verdict is [`Verdict::DoNot`] or the attestation has become too old there is
//!   none.
//! * Nothing that is typed here is secret. A passphrase is asked for after the screen is gone.
//!
//! It verifies nothing: whoever makes a page has done that.

mod notes;
mod page;
pub mod plain;
pub mod terminal;
mod text;
mod update;
mod view;
mod wrap;

pub use page::{
    Age, Body, Cell, Change, ChangeKind, Confirm, Margin, Mark, Page, PinTries, Record, Row, Seat,
    Verdict,
};
pub use text::{MAX_TEXT, Text};
pub use update::{Key, Message, Model, Outcome, Pane, update};
pub use view::view;
