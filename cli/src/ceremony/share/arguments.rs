//! The command line of `quorate ceremony share`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;

use crate::ceremony::arguments::{Keyed, Shared};

/// One person's share.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A share is a number. `check` proves that the one you keep is yours, `backup` writes it on paper, and
`restore` brings it back from there. A paper is the share itself, in the clear: who finds it has it.
It is not your signing key, so nobody can give it to an enclave in your name; but as many finders as
the threshold have the quorum key.

What you have lost, and what brings it back:

  share.cbor                   share restore, from the paper
  laptop, with a copy of       share restore --key-file COPY --genesis DIGEST, from the paper
  key.cbor and the passphrase,
  or of token.cbor and the token
  key.cbor, passphrase, token  join --new-keys, then share restore, from the paper; it can be given
                               once the members have approved what rotate --new-keys wrote; or reshare
  the paper                    nothing is lost while the rest is there: make another")]
pub(crate) enum Share {
    /// Prove that the share you keep is yours
    Check(CheckArguments),
    /// Write your share down, as words, rows or a QR code
    Backup(BackupArguments),
    /// Bring your share back from words, rows or a QR code
    Restore(RestoreArguments),
}

/// Prove a share.
#[derive(Debug, Args)]
#[command(after_help = "\
Opens your share and checks it against the commitments whose digest you pinned as the epoch. Nobody is
asked, and nothing leaves this machine. Do it now and then: a share is found bad before it is needed.

Example:
  quorate ceremony share check --folder ceremony --private ~/quorum")]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) keyed: Keyed,
}

/// Write a share down.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --out the share is shown on a screen of its own, which is cleared after Enter and is not in the
terminal's scroll-back. With --out it is written to a file that only you can read. Where others might
look over your shoulder, or the printer keeps what it printed, do neither.

  words      thirty words, to write by hand
  sheet      rows that repair themselves when they are typed, as plain text
  page       the same with a QR code, as one HTML page to print
  qr         a QR code: on the screen, or a PNG
  qr-ascii   a QR code in # and blanks

Try a paper out before you rely on it: `quorate ceremony share restore` with it says that the very
same share is kept already, and changes nothing.

Examples:
  quorate ceremony share backup --folder ceremony --private ~/quorum
  quorate ceremony share backup --folder ceremony --private ~/quorum --form page --out /media/usb/share.html")]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// How it is written down
    #[arg(long, value_enum, default_value_t = Form::Words)]
    pub(crate) form: Form,

    /// A new file to write it to, outside the shared folder [default: shown on a screen of its own]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a share is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Thirty English words
    Words,
    /// A sheet with rows that repair themselves, as text
    Sheet,
    /// The sheet as an HTML page, with the QR code
    Page,
    /// A QR code
    Qr,
    /// A QR code in ASCII
    QrAscii,
}

/// Bring a share back.
#[derive(Debug, Args)]
#[command(after_help = "\
Asks for the six rows of the sheet, or with --from words for the thirty words. In each row one wrong
character is put right and named, and up to three that you type as ? are filled in; more wrong ones are
noticed. What was typed must be your share by the commitments; only then passphrase or PIN is asked for,
and only after that something is written. A share that is kept already is never replaced.

In a new private folder nothing says which genesis is yours, and the shared folder is not to be
believed: give the digest from the sheet, or have another member read it to you. Without a copy of your
old key.cbor or token.cbor, make new keys with `quorate ceremony join --new-keys` first.

Examples:
  quorate ceremony share restore --folder ceremony --private ~/quorum
  quorate ceremony share restore --folder ceremony --private ~/quorum --from qr --in photo.png
  quorate ceremony share restore --folder ceremony --private ~/new --key-file /media/usb/key.cbor \\
      --genesis 6c1f…e2")]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// What you have
    #[arg(long, value_enum, default_value_t = From::Rows)]
    pub(crate) from: From,

    /// A file with words, a sheet or a QR code (PNG), `-` for standard input [default: typed]
    #[arg(long = "in", value_name = "FILE|-")]
    pub(crate) input: Option<PathBuf>,

    /// The genesis your share is of, where the private folder does not know it
    #[arg(long, value_name = "HEX", value_parser = genesis)]
    pub(crate) genesis: Option<Digest<Genesis>>,

    /// A copy of your key.cbor or token.cbor, where the private folder has none
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// What a share is restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// The rows of the sheet
    Rows,
    /// The thirty words
    Words,
    /// A picture of the QR code
    Qr,
}

fn genesis(text: &str) -> Result<Digest<Genesis>, &'static str> {
    // On the sheet it stands in groups.
    let digits: String = text.split_whitespace().collect();
    Digest::from_hex(&digits).ok_or("a genesis digest is 64 hexadecimal digits")
}
