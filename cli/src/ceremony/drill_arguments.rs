//! The command line of `quorate ceremony drill`.

use clap::{Args, Subcommand};
use quorate_protocol::atoms::UnixMillis;

use super::arguments::{Acting, Keyed, Noting, Shared, Socket};
use crate::moment;

/// One step of a drill.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Members rehearse giving their shares, and prove that they still hold the real ones. Steps:

  start      coordinator     makes an empty enclave one for a drill; it can do nothing else
  give       every member    verifies it, proves the real share, gives the drill share
  finish     coordinator     ends it, and writes its record and the date of the next into the folder

What is given is the share of a scalar that has nothing to do with the key and was made beside it. The
real share stays where it is: it signs that you hold it, for this enclave and no other. A drill wants
everybody; it can end when the threshold has given.

The enclave must be of the image that the newest approved manifest names. It needs no binaries.

Examples:
  quorate ceremony drill start --socket three/operator.sock
  quorate ceremony drill give
  quorate ceremony drill finish --due 2027-02-28")]
pub(crate) enum DrillCommand {
    /// Make an empty enclave one for a drill (coordinator)
    Start(StartArguments),
    /// Verify the drill enclave, prove your share and give the drill share
    Give(GiveArguments),
    /// End the drill and write its record into the folder (coordinator)
    Finish(FinishArguments),
}

/// Start a drill.
#[derive(Debug, Args)]
#[command(after_help = "\
The enclave can never boot afterwards: start it for this, and stop it when the drill is over.

Example:
  quorate ceremony drill start --folder ceremony --socket three/operator.sock")]
pub(crate) struct StartArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) socket: Socket,
    #[command(flatten)]
    pub(crate) noting: Noting,
}

/// Take part in a drill.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything is verified as for a real provision before your passphrase or PIN is asked for: your own
nonce, root, measurements, manifest; and that the enclave was started for a drill. An enclave that takes
real shares is refused here, and one for a drill is refused by `quorate ceremony provision`.

Example:
  quorate ceremony drill give --folder ceremony --private ~/quorum")]
pub(crate) struct GiveArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) socket: Socket,
    #[command(flatten)]
    pub(crate) keyed: Keyed,
}

/// End a drill.
#[derive(Debug, Args)]
#[command(after_help = "\
The record says who took part, and when the next drill is due; `status` and `next` tell from then on.
Repeat it if the answer was lost: the enclave gives the same record, with the date named first.

Example:
  quorate ceremony drill finish --folder ceremony --due 2027-02-28")]
pub(crate) struct FinishArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) socket: Socket,
    #[command(flatten)]
    pub(crate) noting: Noting,

    /// When the next drill is due, at most 366 days from now [default: in 90 days]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    pub(crate) due: Option<UnixMillis>,
}

/// The first moment of a day, UTC.
fn date(text: &str) -> Result<UnixMillis, String> {
    let wrong = || "a date is written as 2027-02-28".to_owned();
    moment::day_ms(text).map(UnixMillis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use quorate_quorum_ceremony::steps::drill::finish::DAY_MS;

    use super::*;

    /// Days of the calendar, and what is none.
    #[test]
    fn dates_are_read_as_days() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1970-03-01", 59),
            ("2000-02-29", 11_016),
            ("2026-11-26", 20_783),
            ("2027-02-28", 20_877),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(date(text), Ok(UnixMillis(days * DAY_MS)), "{text}");
        }
        for text in [
            "",
            "2027",
            "2027-2-28",
            "27-02-28",
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "2027-01-32",
            "2027-04-31",
            "1969-12-31",
            "2027-01-01-01",
            "+027-01-01",
            "2027/01/01",
            "soon",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }
}
