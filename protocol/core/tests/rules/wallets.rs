//! Rules of wallets and tickets.

use quorate_protocol::invalid::Invalid;
use quorate_protocol::ticket::{Operation, Ticket};
use quorate_vectors::tree::Item;

use super::replaced;

/// In the sample `create a wallet`: the list of paths.
const PATHS: [usize; 3] = [1, 5, 3];

fn path(text: &str) -> Item {
    Item::Text(text.into())
}

#[test]
fn a_path_that_is_none_fails_closed() {
    for text in ["m", "44'/60'", "m/", "m/44h", "m/x"] {
        let at = [&PATHS[..], &[0]].concat();
        replaced::<Operation>("operation", &at, path(text), &Invalid::Path);
    }
}

#[test]
fn a_path_twice_fails_closed() {
    let at = [&PATHS[..], &[1]].concat();
    let rule = Invalid::PathRepeated;
    replaced::<Operation>("operation", &at, path("m/44'/60'/0'/0/0"), &rule);
}

#[test]
fn a_wallet_without_or_with_too_many_accounts_fails_closed() {
    for found in [0, 17] {
        let paths = (0..found).map(|at| path(&format!("m/{at}"))).collect();
        let rule = Invalid::ListLength {
            min: 1,
            max: 16,
            found,
        };
        replaced::<Operation>("operation", &PATHS, Item::Array(paths), &rule);
    }
}

#[test]
fn a_ticket_without_a_number_fails_closed() {
    replaced::<Ticket>("ticket", &[11], Item::Unsigned(0), &Invalid::SequenceZero);
}
