//! The board of a resharing: who has consented to its order, who holds a new share, who has approved
//! the manifest that names it, and who has destroyed what it replaced.
//!
//! It takes the place of the founding's board from the order on, until another manifest makes the order
//! void. Everything is as `status` counts it.

use quorate_protocol::atoms::Name;
use quorate_protocol::definition::Definition;
use quorate_protocol::members::Role;
use quorate_quorum_ceremony::steps::status::{
    Gathered, ManifestProgress, Progress, Resharing, State,
};
use quorate_screens::{Body, Cell, Margin, Mark, Seat, Text};

use super::{cell, count, given_margin, share};

/// Until a manifest names the new shares.
const ORDERED: [&str; 3] = ["approver's consent", "holder's consent", "new share"];
/// From then on.
const NAMED: [&str; 4] = ["new share", "approval", "share", "old share"];

/// The board, if the newest order has one.
pub(super) fn board(progress: &Progress, definition: &Definition) -> Option<Body> {
    let found = progress.resharing.as_ref()?;
    let (phases, seats, margins) = match found.state {
        State::Void => return None,
        State::Open | State::Expired | State::AnswerWrong | State::Made => {
            (ORDERED.to_vec(), ordered(found), ordered_margins(found))
        }
        State::Named(_) | State::Counts(_) => {
            let newest = progress.manifests.last()?;
            let seats = named(progress, definition, found, newest);
            let margins = named_margins(progress, found, newest);
            (NAMED.to_vec(), seats, margins)
        }
    };
    Some(Body::Board {
        phases: phases.into_iter().map(Text::new).collect(),
        seats,
        margins,
    })
}

/// What is to be known of the order.
pub(super) fn notes(progress: &Progress) -> Vec<Text> {
    let Some(found) = &progress.resharing else {
        return Vec::new();
    };
    let number = found.number;
    let said = match found.state {
        State::Open => {
            let until = found.order.expires;
            let until = quorate_twins::rfc3339(until).unwrap_or_else(|| until.0.to_string());
            format!("order {number} can be carried out until {until}")
        }
        State::Expired => format!("order {number} has expired: another is to be written"),
        State::AnswerWrong => {
            format!("the answer to order {number} in the folder is not that of an enclave of yours")
        }
        State::Made => {
            "the old shares count until a manifest that names the new ones is approved".into()
        }
        State::Named(sequence) => format!("manifest {sequence} names the new shares"),
        State::Counts(sequence) => format!("the new shares count, by manifest {sequence}"),
        State::Void => format!("order {number} is void: another manifest was approved since"),
    };
    let ignored = found.ignored.iter();
    let ignored = ignored.map(|name| format!("left out: what is there in the name of {name}"));
    std::iter::once(said)
        .chain(ignored)
        .map(Text::from)
        .collect()
}

/// Everybody an order is about, each once.
fn people(found: &Resharing) -> Vec<Name> {
    let mut people: Vec<Name> = Vec::new();
    let present = [&found.holders, &found.approvers].into_iter();
    let present = present.flat_map(|set| set.given.iter().chain(&set.absent));
    let mut known: Vec<&Name> = present.collect();
    known.sort();
    let new = found
        .order
        .share_set
        .members
        .iter()
        .map(|member| &member.name);
    for name in known.into_iter().chain(new) {
        if !people.contains(name) {
            people.push(name.clone());
        }
    }
    people
}

fn ordered(found: &Resharing) -> Vec<Seat> {
    let seats = people(found).into_iter().map(|name| Seat {
        cells: vec![
            consent(&found.approvers, &name),
            consent(&found.holders, &name),
            new_share(found, &name),
        ],
        name: name.as_str().into(),
    });
    seats.collect()
}

fn consent(set: &Gathered, name: &Name) -> Cell {
    if set.given.contains(name) {
        cell(Mark::Done, "given")
    } else if !set.absent.contains(name) {
        cell(Mark::Idle, "not asked")
    } else if set.missing() == 0 {
        cell(Mark::Idle, "not needed")
    } else {
        cell(Mark::Awaited, "awaited")
    }
}

fn new_share(found: &Resharing, name: &Name) -> Cell {
    if found.order.share_set.named(name).is_none() {
        return cell(Mark::Idle, "none");
    }
    match &found.made {
        None => cell(Mark::Idle, "not yet"),
        Some(made) if made.receipts.given.contains(name) => cell(Mark::Done, "held"),
        // All of them should, and the threshold must.
        Some(_) => cell(Mark::Awaited, "awaited"),
    }
}

fn named(
    progress: &Progress,
    definition: &Definition,
    found: &Resharing,
    newest: &ManifestProgress,
) -> Vec<Seat> {
    let seats = people(found).into_iter().map(|name| Seat {
        cells: vec![
            new_share(found, &name),
            approval(found, newest, &name),
            share(progress, definition, &name),
            old_share(progress, found, &name),
        ],
        name: name.as_str().into(),
    });
    seats.collect()
}

fn approval(found: &Resharing, newest: &ManifestProgress, name: &Name) -> Cell {
    let given = newest.approvals.iter().any(|(by, _)| by == name);
    let asked = [&found.approvers, &found.holders];
    let asked = asked
        .iter()
        .any(|set| set.given.contains(name) || set.absent.contains(name))
        || newest.manifest.manifest_set.named(name).is_some();
    match (given, asked, newest.approved) {
        (true, ..) => cell(Mark::Done, "given"),
        (false, false, _) => cell(Mark::Idle, "not asked"),
        (false, true, true) => cell(Mark::Idle, "not needed"),
        (false, true, false) => cell(Mark::Awaited, "awaited"),
    }
}

fn old_share(progress: &Progress, found: &Resharing, name: &Name) -> Cell {
    let held = found
        .before
        .as_ref()
        .is_some_and(|set| set.named(name).is_some());
    match &progress.replaced {
        _ if !held => cell(Mark::Idle, "none"),
        None => cell(Mark::Idle, "still counts"),
        Some(replaced) if replaced.destroyed.contains(name) => cell(Mark::Done, "destroyed"),
        Some(replaced) if replaced.kept.contains(name) => cell(Mark::Awaited, "to destroy"),
        Some(_) => cell(Mark::Idle, "none"),
    }
}

fn ordered_margins(found: &Resharing) -> Vec<Margin> {
    let of = |what: &str, set: &Gathered| Margin {
        what: what.into(),
        have: count(set.given.len()),
        need: set.need.into(),
    };
    let mut margins = vec![
        of("consents of the approvers", &found.approvers),
        of("consents of the holders", &found.holders),
    ];
    if let Some(made) = &found.made {
        margins.push(of("new shares proved", &made.receipts));
    }
    margins
}

fn named_margins(progress: &Progress, found: &Resharing, newest: &ManifestProgress) -> Vec<Margin> {
    let mut margins = Vec::new();
    if let Some(made) = &found.made {
        margins.push(Margin {
            what: "new shares proved".into(),
            have: count(made.receipts.given.len()),
            need: made.receipts.need.into(),
        });
    }
    if !newest.approved {
        let by = |role: Role, set: &Gathered| {
            let mine = newest.approvals.iter().filter(|(name, as_role)| {
                *as_role == role && (set.given.contains(name) || set.absent.contains(name))
            });
            count(mine.count())
        };
        let sequence = newest.manifest.sequence;
        for (who, role, set) in [
            ("approvers", Role::ManifestSet, &found.approvers),
            ("holders", Role::ShareSet, &found.holders),
        ] {
            margins.push(Margin {
                what: format!("approvals of manifest {sequence} by the {who}").into(),
                have: by(role, set),
                need: set.need.into(),
            });
        }
    }
    margins.extend(given_margin(progress));
    if let Some(replaced) = &progress.replaced {
        margins.push(Margin {
            what: "old shares destroyed, as they signed".into(),
            have: count(replaced.destroyed.len()),
            need: count(replaced.destroyed.len().saturating_add(replaced.kept.len())),
        });
    }
    margins
}
