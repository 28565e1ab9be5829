//! The people of a set, and the seats in which somebody signs.

use quorate_protocol::members::MemberSetFields;
use quorate_quorum_ceremony::steps::approve::Seat;
use quorate_quorum_ceremony::workspace::role_name;
use serde_json::{Value, json};

use super::hex;
use crate::ceremony::report::Report;

pub(super) fn set(
    report: Report,
    key: &'static str,
    label: &'static str,
    set: &MemberSetFields,
) -> Report {
    let mut lines = vec![format!("{} of {}", set.threshold, set.members.len())];
    lines.extend(set.members.iter().map(|member| {
        let key = hex(&member.signing_key.to_compressed());
        format!("{} {} {key}", member.index.get(), member.name)
    }));
    let members: Vec<Value> = set
        .members
        .iter()
        .map(|member| {
            json!({
                "index": member.index.get(),
                "name": member.name.as_str(),
                "signing_key": hex(&member.signing_key.to_compressed()),
                "encryption_key": hex(&member.encryption_key.to_compressed()),
            })
        })
        .collect();
    report.row(
        key,
        label,
        lines,
        json!({ "threshold": set.threshold, "members": members }),
    )
}

pub(super) fn seats(report: Report, seats: &[Seat]) -> Report {
    let name = |seat: &Seat| format!("{} at index {}", role_name(seat.role), seat.index.get());
    let value = seats
        .iter()
        .map(|seat| role_name(seat.role))
        .collect::<Vec<_>>();
    report.row(
        "roles",
        "you sign for",
        seats.iter().map(name).collect(),
        json!(value),
    )
}
