//! What a resharing waits for, and who still has a share that it replaced.

use quorate_protocol::genesis::Epoch;
use quorate_protocol::manifest::Manifest;

use super::{Due, Who};
use crate::keys::LockedKeys;
use crate::steps::Member;
use crate::steps::status::{Gathered, Next, Progress, Replaced, Resharing, State};

/// Takes a new share, and signs for it.
pub(super) const RECEIPT: &str = "reshare receipt";
/// Destroys an old share, and its key stays.
const DESTROY: &str = "reshare destroy";
/// The same for who has no seat any more: the record of the old shares opens with their key.
const DESTROY_WITH_KEY: &str = "reshare destroy --with-key";

/// What the newest order waits for, while it is under way.
pub(super) fn pending(resharing: &Resharing) -> Vec<Due> {
    let Some(next) = resharing.next() else {
        return Vec::new();
    };
    let step = next.command();
    let of = |gathered: &Gathered| {
        let missing = gathered.missing();
        let names = gathered.absent.clone();
        (missing > 0).then_some(Due {
            who: Who::AnyOf { missing, names },
            step,
        })
    };
    match (next, &resharing.made) {
        (Next::ReshareSign, _) => {
            let mut due: Vec<Due> = Vec::new();
            let sets = [&resharing.approvers, &resharing.holders];
            for one in sets.into_iter().filter_map(of) {
                if !due.contains(&one) {
                    due.push(one);
                }
            }
            due
        }
        (Next::ReshareReceipt, Some(made)) => of(&made.receipts).into_iter().collect(),
        _ => vec![Due {
            who: Who::Coordinator,
            step,
        }],
    }
}

/// Who has not taken their new share, though it is made and enough others have. A holder too few is
/// missed first when the shares are needed.
pub(super) fn late(resharing: &Resharing) -> Vec<Due> {
    let made = match resharing.state {
        State::Made | State::Named(_) | State::Counts(_) => resharing.made.as_ref(),
        _ => None,
    };
    let enough = made.filter(|made| made.receipts.missing() == 0);
    let absent = enough.map(|made| made.receipts.absent.as_slice());
    let due = absent.unwrap_or_default().iter().map(|name| Due {
        who: Who::Member(name.clone()),
        step: RECEIPT,
    });
    due.collect()
}

/// Who has not signed that the share is destroyed which `newest` and its predecessors replaced.
pub(super) fn destroying(replaced: &Replaced, newest: &Manifest) -> Vec<Due> {
    let due = replaced.kept.iter().map(|name| {
        let seat = newest
            .manifest_set
            .named(name)
            .or(newest.share_set.named(name));
        Due {
            who: Who::Member(name.clone()),
            step: match seat {
                Some(_) => DESTROY,
                None => DESTROY_WITH_KEY,
            },
        }
    });
    due.collect()
}

/// Whether this member's own folder still has a share that an approved manifest has replaced, whatever
/// the shared one says.
pub(super) fn kept_too_long(member: &Member, progress: &Progress) -> Option<&'static str> {
    let approved = progress.manifests.iter().filter(|entry| entry.approved);
    let epochs: Vec<Epoch> = approved.map(|entry| entry.manifest.epoch).collect();
    let now = epochs.last()?;
    let old = |epoch: &Epoch| epoch != now && epochs.contains(epoch);
    let born = member.pins.genesis().and_then(|pin| pin.share.as_ref());
    let born = born.is_some_and(|pin| old(&pin.epoch)) && member.private.share().is_ok();
    let mut later = member.pins.new_shares().iter();
    let later = later.any(|pin| old(&pin.epoch) && member.private.new_share(pin.epoch).is_ok());
    if !born && !later {
        return None;
    }
    let newest = &progress
        .manifests
        .iter()
        .rfind(|entry| entry.approved)?
        .manifest;
    let name = member.pins.name();
    let seated = newest
        .manifest_set
        .named(name)
        .or(newest.share_set.named(name));
    match (seated, &member.keys) {
        // A key in a token is removed with the token's own tool.
        (Some(_), _) | (None, LockedKeys::Token(_)) => Some(DESTROY),
        (None, LockedKeys::File(_)) => Some(DESTROY_WITH_KEY),
    }
}
